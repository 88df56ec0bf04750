"""A request's head as the pipeline sees it, and a call's headers as HTTP carries them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

from ..call import Header
from ..errors import ServiceError
from ..metadata import Metadata
from .accept import weights
from .faults import invalid

RawHeaders = Sequence[tuple[bytes, bytes]]

_MAX_HEAD = 64 << 10  # bytes of names and values
_PREFIX = b"grpc-metadata-"
TAKEN_IN = (
    "authorization",
    "x-request-id",
    "traceparent",
    "tracestate",
    "x-criticality",
    "baggage",
    "idempotency-key",
    "accept-language",
)
"""The request headers that become metadata under their own names, whatever the policy."""

_GIVEN_OUT: Mapping[str, bytes] = MappingProxyType(
    {
        name: name.encode()
        for name in (
            "x-request-id",
            "traceparent",
            "tracestate",
            "retry-after",
            "ratelimit",
            "ratelimit-policy",
            "idempotent-replayed",
            "x-served-from",
            "www-authenticate",
            "location",
            "link",
            "etag",
            "last-modified",
            "cache-control",
            "content-language",
            "content-disposition",
            "vary",
            "deprecation",
            "sunset",
        )
    }
)
_METADATA_NAME = re.compile(r"[0-9a-z_.-]+")
_TIMEOUT = re.compile(r"([0-9]{1,8})([HMSmun])")
_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")
_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}


_EMPTY = Metadata()


class RequestHead:
    """What a request's headers say. `fault` is why the call cannot be served, None for a head in order.

    What a request does not say is the class's: most say little, and to set it all for each would take longer than to
    read it.
    """

    metadata = _EMPTY
    timeout: float | None = None  # seconds
    content_type = ""
    content_length: int | None = None
    chunked = False
    encoding = ""
    accept = ""
    accept_encoding = ""
    expects_continue = False
    fault: ServiceError | None = None
    oversized = False
    may_have_body = False
    takes_trailers = False
    upgrades = False  # to a WebSocket, if the connection agrees
    socket_key = ""
    socket_version = ""


class HeadReader:
    """Reads request heads: which headers become metadata is the service's choice."""

    def __init__(self, taken_in: Iterable[str]) -> None:
        names = (*TAKEN_IN, *(name.lower() for name in taken_in))
        self._known: dict[bytes, str | Callable[[RequestHead, str], None]] = {name.encode(): name for name in names}
        self._known.update(_OWN)

    def read(self, headers: RawHeaders) -> RequestHead:
        """The head of a request; names come lower-case."""
        head = RequestHead()
        pairs: list[Header] = []
        size = 0
        known = self._known
        for raw_name, raw_value in headers:
            size += len(raw_name) + len(raw_value)
            name = known.get(raw_name)
            if name is None:
                if not raw_name.startswith(_PREFIX) or (name := _prefixed(raw_name)) is None:
                    continue
            elif not isinstance(name, str):
                name(head, raw_value.decode("latin-1"))
                continue
            if name.endswith("-bin"):
                _append_binary(head, pairs, name, raw_value)
            else:
                pairs.append((name, raw_value.decode("latin-1")))
        if pairs:
            head.metadata = Metadata.lower(pairs)
        if size > _MAX_HEAD:
            head.oversized = True
        return head


def _prefixed(name: bytes) -> str | None:
    """The metadata name of a `grpc-metadata-` header; None for gRPC's reserved names."""
    rest = name[len(_PREFIX) :].decode("latin-1")
    return rest if _METADATA_NAME.fullmatch(rest) and not rest.startswith("grpc-") else None


def _content_type(head: RequestHead, value: str) -> None:
    if head.content_type and value != head.content_type:
        head.fault = invalid("content-type", "is given twice")
    head.content_type = value


def _content_length(head: RequestHead, value: str) -> None:
    head.content_length = int(value) if value.isdecimal() else 0
    head.may_have_body = head.chunked or head.content_length > 0


def _transfer_encoding(head: RequestHead, value: str) -> None:
    head.chunked = head.may_have_body = True


def _content_encoding(head: RequestHead, value: str) -> None:
    coding = value.strip().lower()
    head.encoding = f"{head.encoding}, {coding}" if head.encoding else coding


def _accept(head: RequestHead, value: str) -> None:
    head.accept = f"{head.accept},{value}" if head.accept else value


def _accept_encoding(head: RequestHead, value: str) -> None:
    head.accept_encoding = f"{head.accept_encoding},{value}" if head.accept_encoding else value


def _expect(head: RequestHead, value: str) -> None:
    head.expects_continue = value.strip().lower() == "100-continue"


def _te(head: RequestHead, value: str) -> None:
    head.takes_trailers = head.takes_trailers or "trailers" in dict(weights(value))


def _upgrade(head: RequestHead, value: str) -> None:
    head.upgrades = value.strip().lower() == "websocket"


def _socket_key(head: RequestHead, value: str) -> None:
    head.socket_key = value.strip()


def _socket_version(head: RequestHead, value: str) -> None:
    head.socket_version = value.strip()


def _grpc_timeout(head: RequestHead, value: str) -> None:
    _read_timeout(head, "grpc-timeout", timeout_of(value))


def _server_timeout(head: RequestHead, value: str) -> None:
    _read_timeout(head, "x-server-timeout", seconds_of(value))


_OWN: Mapping[bytes, Callable[[RequestHead, str], None]] = MappingProxyType(
    {
        b"content-type": _content_type,
        b"content-length": _content_length,
        b"transfer-encoding": _transfer_encoding,
        b"content-encoding": _content_encoding,
        b"accept": _accept,
        b"accept-encoding": _accept_encoding,
        b"expect": _expect,
        b"te": _te,
        b"upgrade": _upgrade,
        b"sec-websocket-key": _socket_key,
        b"sec-websocket-version": _socket_version,
        b"grpc-timeout": _grpc_timeout,
        b"x-server-timeout": _server_timeout,
    }
)
"""The headers that are the transport's business."""


def _read_timeout(head: RequestHead, name: str, seconds: float | None) -> None:
    if seconds is None:
        head.fault = invalid(name, "is no time-out")
    else:
        head.timeout = seconds if head.timeout is None else min(head.timeout, seconds)


def timeout_of(value: str) -> float | None:
    """Seconds of a `grpc-timeout` (gRPC over HTTP/2, section Requests), None for none that can be read."""
    found = _TIMEOUT.fullmatch(value.strip())
    return None if found is None else int(found[1]) * _UNITS[found[2]]


def seconds_of(value: str) -> float | None:
    """Seconds of an `X-Server-Timeout`, None for none that can be read."""
    return float(value) if _SECONDS.fullmatch(value := value.strip()) else None


def _append_binary(head: RequestHead, pairs: list[Header], name: str, raw: bytes) -> None:
    try:
        for part in raw.split(b","):
            text = part.strip().rstrip(b"=")
            pairs.append((name, base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)))
    except (binascii.Error, ValueError):
        head.fault = invalid(_PREFIX.decode() + name, "must be base64")


def response_headers(headers: Collection[Header]) -> list[tuple[bytes, bytes]]:
    """A call's response headers over HTTP: known ones as they are, `grpc-metadata-` before the rest."""
    out: list[tuple[bytes, bytes]] = []
    for name, value in headers:
        wire = _GIVEN_OUT.get(name) or _PREFIX + name.encode()
        out.append((wire, base64.b64encode(value) if isinstance(value, bytes) else value.encode("latin-1")))
    return out
