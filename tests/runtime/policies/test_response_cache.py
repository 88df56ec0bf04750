"""The response cache is bounded in number, in bytes and in time, and agrees with a model that keeps everything."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from runtime.policies.response_cache import ResponseCache

_KEYS = st.sampled_from([b"a", b"b", b"c", b"d", b"e"])


def test_a_million_keys_take_no_more_room_than_the_declared_number() -> None:
    cache = ResponseCache(ttl=60.0, max_entries=100, max_bytes=5000)
    for number in range(1_000_000):
        cache.put(number.to_bytes(8), b"x" * 60, 0.0)
    assert len(cache) == 83
    assert cache.size == 4980


class CacheMachine(RuleBasedStateMachine):
    """The model is a list of what was put, the most recently used last."""

    @initialize(max_entries=st.integers(1, 4), max_bytes=st.sampled_from([6, 12, 1000]))
    def begin(self, max_entries: int, max_bytes: int) -> None:
        self.cache = ResponseCache(10.0, max_entries, max_bytes)
        self.max_entries = max_entries
        self.max_bytes = max_bytes
        self.model: list[tuple[bytes, float, bytes]] = []
        self.now = 0.0

    @rule(seconds=st.sampled_from([0.5, 4.0, 11.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(key=_KEYS, size=st.integers(0, 8))
    def put(self, key: bytes, size: int) -> None:
        self.cache.put(key, b"x" * size, self.now)
        self.model = [entry for entry in self.model if entry[0] != key]
        if size <= self.max_bytes:
            self.model.append((key, self.now, b"x" * size))
        while len(self.model) > self.max_entries or sum(len(entry[2]) for entry in self.model) > self.max_bytes:
            self.model.pop(0)

    @rule(key=_KEYS)
    def get(self, key: bytes) -> None:
        found = next((entry for entry in self.model if entry[0] == key), None)
        if found is not None:
            self.model.remove(found)
        if found is not None and self.now < found[1] + 10.0:
            self.model.append(found)
            assert self.cache.get(key, self.now) == found[2]
        else:
            assert self.cache.get(key, self.now) is None

    @invariant()
    def same_size(self) -> None:
        if hasattr(self, "model"):
            assert len(self.cache) == len(self.model)
            assert self.cache.size == sum(len(entry[2]) for entry in self.model)


TestCacheMachine = CacheMachine.TestCase
TestCacheMachine.settings = settings(stateful_step_count=100)
