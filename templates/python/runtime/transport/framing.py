"""Response streams over HTTP: a JSON array, NDJSON or server-sent events, by what the caller accepts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .accept import weights

TURN = 32
"""Messages that a stream sends before everybody else has their turn.

Writing to a peer that reads fast enough, or is gone, never waits: a handler that does not either would hold the loop,
and not hear of its cancellation.
"""


@dataclass(frozen=True, slots=True)
class Framing:
    """How the messages of a stream become one body.

    `error` frames the `{"error": …}` of a failure after the first message; None where the form has no place for one, and the body is cut
    off so that nobody can take it for whole.
    """

    content_type: bytes
    first: Callable[[bytes], bytes]
    next: Callable[[bytes], bytes]
    end: bytes  # after at least one message
    empty: bytes  # the whole body of a stream without messages
    error: Callable[[bytes], bytes] | None


def _line(value: bytes) -> bytes:
    return b'{"result":%b}\n' % value


def _event(value: bytes) -> bytes:
    return b"data: %b\n\n" % value


ARRAY = Framing(
    b"application/json",
    first=lambda value: b"[" + value,
    next=lambda value: b"," + value,
    end=b"]",
    empty=b"[]",
    error=None,
)
NDJSON = Framing(
    b"application/x-ndjson", first=_line, next=_line, end=b"", empty=b"", error=lambda value: value + b"\n"
)
SSE = Framing(
    b"text/event-stream",
    first=_event,
    next=_event,
    end=b"",
    empty=b"",
    error=lambda value: b"event: error\ndata: %b\n\n" % value,
)

_BY_MEDIA_TYPE = {
    "application/json": ARRAY,
    "application/x-ndjson": NDJSON,
    "application/ndjson": NDJSON,
    "text/event-stream": SSE,
}


def framing_for(accept: str) -> Framing:
    """The form that an Accept header wants most (RFC 9110, section 12.5.1), the JSON array where it wants none."""
    best, best_weight = ARRAY, 0.0
    for media, weight in weights(accept):
        if media in _BY_MEDIA_TYPE and weight > best_weight:
            best, best_weight = _BY_MEDIA_TYPE[media], weight
    return best
