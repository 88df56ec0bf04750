"""POST requests over HTTP/1.1 with keep-alive: one at a time on each connection."""

from __future__ import annotations

import asyncio
import re
import sys

from benchmarks.load.closed_loop import Tally, main
from benchmarks.message import JSON, REST_PATH

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_REQUEST = (
    f"POST {REST_PATH} HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: holdfast-benchmark\r\naccept: */*\r\n"
    f"content-type: application/json\r\ncontent-length: {len(JSON)}\r\n\r\n"
).encode() + JSON


class Posts(asyncio.Protocol):
    """One connection, which sends the next request when the last one is answered."""

    def __init__(self, tally: Tally, in_flight: int) -> None:
        if in_flight != 1:
            raise ValueError("HTTP/1.1 has one request at a time on a connection")
        self._tally = tally
        self._buffer = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as it is for TCP
        self._transport = transport
        transport.write(_REQUEST)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        length = _LENGTH.search(self._buffer, 0, head + 2)
        if length is None or len(self._buffer) < head + 4 + int(length[1]):
            return
        if self._buffer.startswith(b"HTTP/1.1 200 "):
            self._tally.answered()
        else:
            self._tally.failed()
        self._buffer = b""
        self._transport.write(_REQUEST)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._tally.counting:
            self._tally.failed()


if __name__ == "__main__":
    main(Posts, sys.argv[1:])
