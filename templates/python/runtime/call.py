"""One call in flight, as its stages and its handler see it: no protocol, no transport object."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NoReturn, Protocol, TypeVar

from google.protobuf.message import Message
from grpc import StatusCode

from .definition import Method
from .errors import ServiceError
from .metadata import Metadata
from .principal import Peer, Principal

ProtocolName = Literal["grpc", "rest"]
Header = tuple[str, str | bytes]
_NOTHING: Mapping[str, str] = MappingProxyType({})


class Wire(Protocol):
    """The seam to a transport: what it does for one call, with messages in place of bytes."""

    async def receive(self) -> Message | None:
        """The next request message, None after the last one.

        Raises ServiceError where the bytes are no such message.
        """

    async def send_headers(self, headers: Sequence[Header]) -> None:
        """Send the response headers now; called at most once, and before the first `send` of a stream."""

    async def send(self, message: Message) -> None:
        """Send one message of a response stream; returns when the transport's buffer has room for the next."""


Encode = Callable[[Message | None], None]
"""Makes the bytes of a unary response, which go out once the chain has come to its end. Raises ServiceError (INTERNAL)
where the response is missing, or has no such form."""

WireT = TypeVar("WireT", bound=Wire)


class Call:
    """A call's identity, time, metadata and messages.

    Handlers use the public surface; stages also set `principal`, `request_id`, `deadline` and the like. A unary
    response is kept in `response` until the whole chain has agreed to it; a streamed one goes out as it comes.
    """

    __slots__ = (
        "_abort_with",
        "_encode",
        "_headers_sent",
        "_request",
        "_spawn",
        "_wire",
        "certificate",
        "client_timeout",
        "criticality",
        "deadline",
        "error",
        "fell_back",
        "headers",
        "loop",
        "metadata",
        "method",
        "peer",
        "principal",
        "protocol",
        "request_id",
        "reserve",
        "response",
        "route",
        "sent",
        "served_from",
        "span_id",
        "started",
        "task",
        "trace_flags",
        "trace_id",
        "trace_state",
        "trailers",
    )

    def __init__(
        self,
        method: Method,
        protocol: ProtocolName,
        wire: Wire,
        metadata: Metadata,
        *,
        peer: str = "",
        certificate: Peer | None = None,
        route: str | None = None,
        client_timeout: float | None = None,
        spawn: Callable[[Coroutine[Any, Any, Any]], asyncio.Task[Any]] = asyncio.ensure_future,
        encode: Encode | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.loop = loop  # kept, as asking for it again is a system call
        self.method = method
        self.protocol: ProtocolName = protocol
        self.metadata = metadata
        self.peer = peer
        self.certificate = certificate  # of the client, None for a connection without one
        self.route = route
        self.client_timeout = client_timeout  # seconds the caller gave, None for no deadline
        self.started = loop.time()
        self.deadline: float | None = None  # loop time
        self.reserve = 0.0  # seconds kept back from what the calls to dependencies are given
        self.criticality = ""
        self.principal: Principal | None = None
        self.request_id = ""
        self.trace_id = ""
        self.span_id = ""
        self.trace_flags = 0
        self.trace_state = ""
        self.headers: list[Header] = []
        self.trailers: list[Header] = []
        self.response: Message | None = None  # of a unary response
        self.sent = 0  # messages of a response stream handed to the transport
        self.served_from = ""  # what a response that is not the handler's comes from
        self.fell_back: Mapping[str, str] = _NOTHING  # dependencies that a fallback has answered for, and its kind
        self.error: ServiceError | None = None  # how the call ended, None for well; set by the boundary
        self._wire = wire
        self._encode = encode
        self._request: Message | None = None
        self._headers_sent = False
        self._spawn = spawn
        self.task: asyncio.Task[Any] | None = asyncio.current_task(loop)  # that serves the call, None once it is over
        self._abort_with: ServiceError | None = None

    # -- what handlers use ---------------------------------------------------------------------------------------

    def time_remaining(self) -> float | None:
        """Seconds left until the deadline, never below 0; None without one."""
        if self.deadline is None:
            return None
        return max(0.0, self.deadline - self.loop.time())

    def set_header(self, name: str, value: str | bytes) -> None:
        """Add a response header; `-bin` names take bytes.

        Raises RuntimeError once the headers are sent, ValueError for a value that no header can carry.
        """
        if self._headers_sent:
            raise RuntimeError("the response headers are sent already")
        self.headers.append(_unreserved(checked_header(name, value)))

    def set_trailer(self, name: str, value: str | bytes) -> None:
        """Add a response trailer; `-bin` names take bytes. Raises ValueError as `set_header` does."""
        self.trailers.append(_unreserved(checked_header(name, value)))

    async def send_headers(self) -> None:
        """Send the response headers now, before the first message."""
        if not self._headers_sent:
            self._headers_sent = True
            await self._wire.send_headers(self.headers)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start work that may outlive the call; the service waits for it at shutdown."""
        return self._spawn(work)

    async def abort(self, code: StatusCode, message: str = "", *, details: Sequence[Message] = ()) -> NoReturn:
        """End the call with that code and message. Raises ServiceError."""
        raise ServiceError(code, message, details=details)

    @property
    def cancelled(self) -> bool:
        """Whether the caller has gone, or the service has ended the call."""
        return self.task is not None and self.task.cancelling() > 0

    @property
    def served_here(self) -> bool:
        """Whether the task running now is the one that serves the call; False while a dead coroutine is collected."""
        try:
            return asyncio.current_task() is self.task
        except RuntimeError:
            return False

    # -- what stages and transports use --------------------------------------------------------------------------

    async def request(self) -> Message:
        """The request of a call that has exactly one; decoded at the first use.

        Raises ServiceError where the request is missing or is no such message.
        """
        if self._request is None:
            self._request = await self._wire.receive()
            if self._request is None:
                raise ServiceError(StatusCode.INVALID_ARGUMENT, "the request message is missing")
        return self._request

    @property
    def wire(self) -> Wire:
        """What is between the call and its caller."""
        return self._wire

    def wrap_wire(self, wrap: Callable[[Wire], WireT]) -> WireT:
        """Put something between the call and its transport, for a stage that looks at each message; returns it."""
        wire = self._wire = wrap(self._wire)
        return wire

    async def requests(self) -> AsyncGenerator[Message, None]:
        """The messages of a request stream, as they arrive."""
        while (message := await self._wire.receive()) is not None:
            yield message

    async def respond(self, message: Message) -> None:
        """Take one response message: kept for a unary response, sent for a stream.

        Raises TypeError for a message of another type than the method's.
        """
        if not isinstance(message, self.method.response):
            raise TypeError(
                f"{self.method.path} answered {type(message).__name__}, not {self.method.response.__name__}"
            )
        if self.method.kind.streams_responses:
            if not self._headers_sent:
                await self.send_headers()
            await self._wire.send(message)
            self.sent += 1
        else:
            self.response = message

    def encode(self) -> None:
        """Make the bytes of a unary response. Raises ServiceError where it has none."""
        if self._encode is not None and not self.method.kind.streams_responses:
            self._encode(self.response)

    def end(self, error: ServiceError) -> None:
        """Cancel the call from outside and have it answer with `error`: the drain's last step."""
        if self.task is not None and not self.task.done():
            self._abort_with = error
            self.task.cancel()

    def release(self) -> None:
        """The call is over: let go of its task, whose context holds the call.

        Such a cycle would wait for the garbage collector, and every call would take memory that is in no cache: a
        tenth of a gRPC call's time.
        """
        self.task = None

    def ended_with(self) -> ServiceError | None:
        """The error that `end` was given; clears the cancellation it caused, so that the answer can be written."""
        error, self._abort_with = self._abort_with, None
        if error is not None and self.task is not None:
            self.task.uncancel()
        return error


_RESERVED = frozenset({"content-type", "content-length", "transfer-encoding", "te", "host", "connection", "upgrade"})


def _unreserved(header: Header) -> Header:
    """The header, if it is the handler's to set. Raises ValueError for the protocols' own: gRPC core dies of some."""
    name = header[0]
    if name.startswith("grpc-") or name in _RESERVED:
        raise ValueError(f"{name!r} belongs to the protocol")
    if name == "x-request-id":
        raise ValueError(f"{name!r} is in every answer already")
    return header


def checked_header(name: str, value: str | bytes) -> Header:
    """The header with its name in lower case. Raises ValueError for a name or value that no header can have."""
    lowered = name.lower()
    if lowered.endswith("-bin") is not isinstance(value, bytes):
        raise ValueError(f"header {name!r} takes {'bytes' if lowered.endswith('-bin') else 'text'}")
    if isinstance(value, str) and not (value.isascii() and value.isprintable()):
        raise ValueError(f"the value of header {name!r} must be printable ASCII")
    if not lowered or not all(letter.isascii() and (letter.isalnum() or letter in "-_.") for letter in lowered):
        raise ValueError(f"{name!r} is no header name")
    return lowered, value
