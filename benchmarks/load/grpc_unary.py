"""Unary gRPC calls over hand-made HTTP/2 frames: a load that costs a fraction of what any gRPC client does.

It speaks just enough of RFC 9113 for a server it trusts: requests are two frames made once, of a response only the
frames' heads are read. A call counts as answered when a message and a trailing HEADERS frame have come.
"""

from __future__ import annotations

import asyncio
import sys

from benchmarks.load.closed_loop import Tally, main
from benchmarks.message import BINARY, METHOD_PATH

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_ACK = _END_STREAM = 0x1
_END_HEADERS = 0x4
_STATIC_ENTRIES = 61  # of HPACK's static table (RFC 7541, appendix A)
_REQUEST_HEADERS = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", METHOD_PATH.encode()),
    (b":authority", b"127.0.0.1"),
    (b"te", b"trailers"),
    (b"content-type", b"application/grpc"),
    (b"user-agent", b"holdfast-benchmark"),
    (b"grpc-accept-encoding", b"identity, deflate, gzip"),
)
_BODY = b"\x00" + len(BINARY).to_bytes(4, "big") + BINARY


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One frame (RFC 9113, section 4.1)."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _literals() -> bytes:
    """The request's headers as literals with incremental indexing (RFC 7541, section 6.2.1)."""
    return b"".join(
        b"\x40" + bytes((len(name),)) + name + bytes((len(value),)) + value for name, value in _REQUEST_HEADERS
    )


def _indexed() -> bytes:
    """The same, once the peer's dynamic table holds them: the newest entry has the lowest index (section 2.3.3)."""
    count = len(_REQUEST_HEADERS)
    return bytes(0x80 | (_STATIC_ENTRIES + count - position) for position in range(count))


def _call(stream: int, block: bytes) -> bytes:
    """One whole request."""
    return frame(_HEADERS, _END_HEADERS, stream, block) + frame(_DATA, _END_STREAM, stream, _BODY)


def _opening() -> bytes:
    """What a connection starts with: the preface, and room for more answers than any run has."""
    return _PREFACE + frame(_SETTINGS, 0, 0, b"") + frame(_WINDOW_UPDATE, 0, 0, (2**31 - 1 - 65535).to_bytes(4, "big"))


def first_request() -> bytes:
    """A connection's opening and one call."""
    return _opening() + _call(1, _literals())


def has_answer(received: bytes) -> bool:
    """Whether the bytes of a connection hold the message that answers `first_request`, and its end."""
    at, message = 0, False
    while len(received) - at >= 9:
        kind, flags = received[at + 3], received[at + 4]
        at += 9 + int.from_bytes(received[at : at + 3], "big")
        if at > len(received):
            return False
        message = message or kind == _DATA
        if kind == _HEADERS and flags & _END_STREAM:
            return message
    return False


class UnaryCalls(asyncio.Protocol):
    """One connection with a fixed number of calls in flight."""

    def __init__(self, tally: Tally, in_flight: int) -> None:
        self._tally = tally
        self._in_flight = in_flight
        self._rest = b""
        self._stream = 1
        self._with_message: set[int] = set()  # streams that a message has come on
        self._block = _indexed()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as it is for TCP
        self._transport = transport
        transport.write(_opening() + self._request(_literals()))
        transport.write(b"".join(self._request(self._block) for _ in range(self._in_flight - 1)))

    def data_received(self, data: bytes) -> None:
        buffer = self._rest + data if self._rest else data
        at, end = 0, len(buffer)
        out: list[bytes] = []
        while end - at >= 9:
            length = int.from_bytes(buffer[at : at + 3], "big")
            following = at + 9 + length
            if following > end:
                break
            self._frame(buffer[at + 3], buffer[at + 4], buffer[at + 5 : at + 9], buffer[at + 9 : following], out)
            at = following
        self._rest = buffer[at:]
        if out:
            self._transport.write(b"".join(out))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._tally.counting:
            self._tally.failed()

    def _frame(self, kind: int, flags: int, stream: bytes, payload: bytes, out: list[bytes]) -> None:
        if kind == _DATA:
            self._with_message.add(int.from_bytes(stream, "big"))
        elif kind == _HEADERS and flags & _END_STREAM:
            number = int.from_bytes(stream, "big")
            if number in self._with_message:
                self._with_message.remove(number)
                self._tally.answered()
            else:
                self._tally.failed()
            out.append(self._request(self._block))
        elif kind in (_RST_STREAM, _GOAWAY):
            self._tally.failed()
        elif kind in (_PING, _SETTINGS) and not flags & _ACK:
            out.append(frame(kind, _ACK, 0, payload if kind == _PING else b""))

    def _request(self, block: bytes) -> bytes:
        stream, self._stream = self._stream, self._stream + 2
        return _call(stream, block)


if __name__ == "__main__":
    main(UnaryCalls, sys.argv[1:])
