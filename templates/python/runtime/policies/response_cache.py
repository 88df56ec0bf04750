"""A cache of responses: the least recently used one goes first, an old one is none, and its size is bounded."""

from __future__ import annotations

from collections import OrderedDict

MAX_BYTES = 64 << 20
"""Of the responses of one cache, however many entries it may have."""


class ResponseCache:
    """Responses by key, as bytes, each for `ttl` seconds."""

    __slots__ = ("_bytes", "_entries", "_max_bytes", "_max_entries", "_ttl")

    def __init__(self, ttl: float, max_entries: int, max_bytes: int = MAX_BYTES) -> None:
        self._ttl = ttl
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._entries: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """Bytes of the responses that are kept."""
        return self._bytes

    def put(self, key: bytes, response: bytes, now: float) -> None:
        """Keep a response, in place of the one that the key had; one larger than the cache is not kept."""
        self._drop(key)
        if len(response) > self._max_bytes:
            return
        self._entries[key] = (now + self._ttl, response)
        self._bytes += len(response)
        while len(self._entries) > self._max_entries or self._bytes > self._max_bytes:
            _, (_, oldest) = self._entries.popitem(last=False)
            self._bytes -= len(oldest)

    def get(self, key: bytes, now: float) -> bytes | None:
        """The response kept under the key, None where there is none or it is too old."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        until, response = entry
        if now >= until:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return response

    def _drop(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= len(entry[1])
