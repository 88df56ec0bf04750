"""The life of an idempotency key: in flight, then completed with its answer, or released."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a key: in flight until it has an answer. All times are on one clock, in seconds."""

    fingerprint: bytes  # of the request
    token: str  # fencing: only who holds it may complete or release the key
    locked_until: float
    expires: float
    answer: bytes | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """The key is the caller's: it must complete or release it."""

    token: str


@dataclass(frozen=True, slots=True)
class Replay:
    """The key has an answer."""

    answer: bytes


@dataclass(frozen=True, slots=True)
class InFlight:
    """Another call holds the key, for at most `wait` seconds more."""

    wait: float


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The key belongs to another request."""


Begun: TypeAlias = Started | Replay | InFlight | Mismatch


@dataclass(frozen=True, slots=True)
class KeyLife:
    """How long keys are kept and locked, in seconds.

    A call that is never heard of again holds its key for `lock_ttl`; then the same request may take it over, under a
    token of its own, and whatever becomes of the first call changes nothing any more (Kleppmann, "How to do distributed
    locking": a lock that expires needs a fencing token).
    """

    ttl: float
    lock_ttl: float

    def begin(self, record: Record | None, fingerprint: bytes, token: str, now: float) -> tuple[Record | None, Begun]:
        """The record after a call has asked for the key, and what it is told; `token` is one that nobody else has.

        A call that asks again, as its first question may have been lost, is told the same.
        """
        if record is None or record.expires <= now or record.token == token:
            return Record(fingerprint, token, now + self.lock_ttl, now + self.ttl), Started(token)
        if record.fingerprint != fingerprint:
            return record, Mismatch()
        if record.answer is not None:
            return record, Replay(record.answer)
        if record.locked_until > now:
            return record, InFlight(record.locked_until - now)
        return Record(fingerprint, token, now + self.lock_ttl, now + self.ttl), Started(token)

    def complete(self, record: Record | None, token: str, answer: bytes, now: float) -> Record | None:
        """The record once the call that holds `token` has its answer; unchanged where the key is no longer its own."""
        if record is None or record.token != token or record.answer is not None:
            return record
        return Record(record.fingerprint, token, record.locked_until, now + self.ttl, answer)

    def release(self, record: Record | None, token: str) -> Record | None:
        """The record once the call that holds `token` has done nothing: none, so that the request may come again."""
        if record is not None and record.token == token and record.answer is None:
            return None
        return record
