"""The life of an idempotency key against the history of everything that was ever asked of it."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from runtime.policies.idempotency import Begun, InFlight, KeyLife, Mismatch, Record, Replay, Started

from tests.runtime.policies.models import compared


@dataclass
class Attempt:
    """One call that was given the key."""

    token: str
    fingerprint: bytes
    began: int
    answer: bytes | None = None
    answered: int = 0
    released: bool = False


class KeyModel(RuleBasedStateMachine):
    """One key; what a call is told follows from the attempts before it."""

    @initialize(ttl=st.integers(10, 40), lock_ttl=st.integers(1, 10))
    def set_life(self, ttl: int, lock_ttl: int) -> None:
        self.life = KeyLife(float(ttl), float(lock_ttl))
        self.record: Record | None = None
        self.now = 0
        self.attempts: list[Attempt] = []

    @rule(seconds=st.integers(0, 12))
    def pass_time(self, seconds: int) -> None:
        self.now += seconds

    @precondition(lambda self: self.attempts and self.holder())
    @rule()
    def begin_again(self) -> None:
        """The holder's question was lost on its way, or the answer to it was."""
        last = self.attempts[-1]
        self.record, begun = self.life.begin(self.record, last.fingerprint, last.token, float(self.now))
        assert begun == Started(last.token)
        last.began = self.now

    @rule(fingerprint=st.sampled_from([b"one", b"other"]))
    def begin(self, fingerprint: bytes) -> None:
        token = str(len(self.attempts))
        expected = self.expected(fingerprint, token)
        self.record, begun = self.life.begin(self.record, fingerprint, token, float(self.now))
        assert begun == expected
        if isinstance(begun, Started):
            self.attempts.append(Attempt(token, fingerprint, self.now))

    @precondition(lambda self: self.attempts)
    @rule(data=st.data(), answer=st.sampled_from([b"", b"done"]))
    def complete(self, data: st.DataObject, answer: bytes) -> None:
        attempt = data.draw(st.sampled_from(self.attempts))
        self.record = self.life.complete(self.record, attempt.token, answer, float(self.now))
        if attempt is self.holder():
            attempt.answer, attempt.answered = answer, self.now

    @precondition(lambda self: self.attempts)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        attempt = data.draw(st.sampled_from(self.attempts))
        self.record = self.life.release(self.record, attempt.token)
        if attempt is self.holder():
            attempt.released = True

    def holder(self) -> Attempt | None:
        """The attempt that may still say how it ended: the last one, if it has not."""
        last = self.attempts[-1]
        return None if last.released or last.answer is not None else last

    def expected(self, fingerprint: bytes, token: str) -> Begun:
        if not self.attempts or self.attempts[-1].released:
            return Started(token)
        last = self.attempts[-1]
        known_since = last.began if last.answer is None else last.answered
        if self.now >= known_since + self.life.ttl:
            return Started(token)
        if last.fingerprint != fingerprint:
            return Mismatch()
        if last.answer is not None:
            return Replay(last.answer)
        if self.now < last.began + self.life.lock_ttl:
            return InFlight(last.began + self.life.lock_ttl - self.now)
        return Started(token)


TestKeyLife = KeyModel.TestCase
TestKeyLife.settings = compared()


def test_a_call_whose_key_was_taken_over_changes_nothing_any_more() -> None:
    life = KeyLife(ttl=60.0, lock_ttl=5.0)
    record, _ = life.begin(None, b"request", "first", 0.0)
    record, begun = life.begin(record, b"request", "second", 5.0)
    assert begun == Started("second")
    assert life.complete(record, "first", b"late", 6.0) == record
    assert life.release(record, "first") == record
    completed = life.complete(record, "second", b"answer", 6.0)
    assert life.begin(completed, b"request", "third", 7.0)[1] == Replay(b"answer")
