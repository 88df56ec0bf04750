"""State in this process, bounded: each process counts for itself, and forgets with its end."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from ..policies.idempotency import Begun, KeyLife, Record
from ..policies.rate_limit import Charges, RateLimit, Verdict

_OVERHEAD: Final = 600
"""Bytes that a record takes beside its answer: what `sys.getsizeof` adds up to, rounded up."""


class MemoryRateLimits:
    """Keeps the `max_keys` keys that were used last; `now` is monotonic time in seconds."""

    __slots__ = ("_charges", "_limit", "_max_keys", "_now")

    def __init__(self, limit: RateLimit, max_keys: int, now: Callable[[], float]) -> None:
        self._limit = limit
        self._max_keys = max_keys
        self._now = now
        self._charges: OrderedDict[str, Charges] = OrderedDict()

    def __len__(self) -> int:
        return len(self._charges)

    async def admit(self, key: str) -> Verdict:
        """Charge the key with one call, if the limit admits it."""
        return self._limit.admit(self._of(key), self._now())

    def take(self, key: str) -> bool:
        """Charge the key with one call, if the limit admits it; whether it does."""
        return self._limit.take(self._of(key), self._now())

    def _of(self, key: str) -> Charges:
        charges = self._charges.get(key)
        if charges is None:
            if len(self._charges) >= self._max_keys:
                self._charges.popitem(last=False)
            charges = self._charges[key] = Charges()
        else:
            self._charges.move_to_end(key)
        return charges


class MemoryKeys:
    """Keeps records in up to `max_bytes`, the oldest go first; those in flight stay, however many there are."""

    __slots__ = ("_life", "_max_bytes", "_now", "_records", "_size")

    def __init__(self, life: KeyLife, max_bytes: int, now: Callable[[], float]) -> None:
        self._life = life
        self._max_bytes = max_bytes
        self._now = now
        self._records: OrderedDict[str, Record] = OrderedDict()  # the one begun or completed first comes first
        self._size = 0

    def __len__(self) -> int:
        return len(self._records)

    async def begin(self, key: str, fingerprint: bytes, token: str) -> Begun:
        """Ask for a key."""
        now = self._now()
        record, begun = self._life.begin(self._records.get(key), fingerprint, token, now)
        self._keep(key, record, now)
        return begun

    async def complete(self, key: str, token: str, answer: bytes) -> None:
        """Keep the answer of the call that holds the key."""
        now = self._now()
        self._keep(key, self._life.complete(self._records.get(key), token, answer, now), now)

    async def release(self, key: str, token: str) -> None:
        """Give the key back."""
        self._keep(key, self._life.release(self._records.get(key), token), self._now())

    def _keep(self, key: str, record: Record | None, now: float) -> None:
        known = self._records.get(key)
        if record is known:
            return
        if known is not None:
            del self._records[key]
            self._size -= _size(known)
        if record is not None:
            self._records[key] = record
            self._size += _size(record)
        self._forget(now)

    def _forget(self, now: float) -> None:
        """Forget what has expired, and the oldest answers while there are too many bytes of them."""
        for key, record in self._oldest(now):
            del self._records[key]
            self._size -= _size(record)

    def _oldest(self, now: float) -> list[tuple[str, Record]]:
        size, found = self._size, []
        for key, record in self._records.items():
            if record.expires > now and size <= self._max_bytes:
                break
            if record.expires <= now or record.answer is not None or record.locked_until <= now:
                size -= _size(record)
                found.append((key, record))
        return found


def _size(record: Record) -> int:
    return _OVERHEAD + (0 if record.answer is None else len(record.answer))
