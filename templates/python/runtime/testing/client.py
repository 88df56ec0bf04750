"""A caller that speaks both protocols to an address and tells how a call ended in the same words for both."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode, aio

from ..call import Header
from ..codes import BY_NUMBER
from ..definition import Kind, Method, Route
from ..metadata import Metadata
from .entries import Entry
from .rest_request import RestRequest, rest_request
from .scripted import PATIENCE

_LARGEST: Final = 64 << 20  # bytes of a message that the client takes
_EMPTY: Final = Metadata()


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a service listens: `host:port` for gRPC, base URLs for the others."""

    grpc: str
    rest: str
    admin: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended, over either protocol; `status` is OK's for a call that went well."""

    code: StatusCode
    message: str = ""
    responses: tuple[Message, ...] = ()
    status: Status = field(default_factory=Status)
    headers: Metadata = _EMPTY
    trailers: Metadata = _EMPTY  # gRPC only
    http: int | None = None  # REST only; None as well where no answer came
    body: bytes = b""  # REST only

    @property
    def info(self) -> ErrorInfo:
        """The ErrorInfo among the details, an empty one without it."""
        return self.detail(ErrorInfo)

    @property
    def retry_after(self) -> float | None:
        """Seconds after which RetryInfo advises to try again."""
        advice = self.detail(RetryInfo)
        has_advice = any(detail.Is(RetryInfo.DESCRIPTOR) for detail in self.status.details)
        return advice.retry_delay.ToTimedelta().total_seconds() if has_advice else None

    def detail(self, message_type: Callable[[], Any]) -> Any:
        """The first detail of that type, an empty one without it."""
        found = message_type()
        for detail in self.status.details:
            if detail.Is(found.DESCRIPTOR):
                detail.Unpack(found)
                break
        return found

    def everything(self) -> str:
        """All that reached the caller as text, to search for what must not be in it."""
        pairs = [*self.headers, *self.trailers]
        return "\n".join([self.message, repr(pairs), str(self.status), self.body.decode(errors="replace")])


class Client:
    """Calls a service by its addresses; knows no more of it than its method table and routes."""

    def __init__(self, addresses: Addresses, channel: aio.Channel, http: httpx.AsyncClient) -> None:
        self.addresses = addresses
        self.channel = channel
        self.http = http

    async def call(
        self,
        entry: Entry,
        requests: Sequence[Message] | None = None,
        *,
        metadata: Sequence[Header] = (),
        timeout: float | None = None,
        proto_names: bool = False,
    ) -> Outcome:
        """Call an RPC by one of its entries, with its sample requests unless others are given.

        `timeout` is the deadline that the server is told, in seconds; `proto_names` spells JSON as the contract
        does. Cancelling this cancels the call. Raises TimeoutError for a call that does not end.
        """
        messages = entry.requests() if requests is None else requests
        async with asyncio.timeout(PATIENCE):
            if entry.route is None:
                return await self._over_grpc(entry.method, messages, metadata, timeout)
            request = rest_request(entry.route, messages[0], proto_names=proto_names)
            return await self.send(request, entry.route, metadata=metadata, timeout=timeout)

    async def send(
        self,
        request: RestRequest,
        route: Route | None = None,
        *,
        metadata: Sequence[Header] = (),
        timeout: float | None = None,
    ) -> Outcome:
        """Send an HTTP request; the answer is read as that route's, where one is given."""
        headers = [(name, value if isinstance(value, str) else value.hex()) for name, value in metadata]
        if request.content_type:
            headers.append(("content-type", request.content_type))
        if timeout is not None:
            headers.append(("grpc-timeout", f"{max(1, round(timeout * 1000))}m"))
        try:
            response = await self.http.request(
                request.verb, self.addresses.rest + request.target, content=request.body, headers=headers
            )
        except httpx.TransportError as error:
            return Outcome(StatusCode.UNAVAILABLE, f"{type(error).__name__}: {error}")
        answered = Metadata(response.headers.multi_items())
        if response.is_success:
            responses = () if route is None or request.verb == "HEAD" else _responses(route, response)
            return Outcome(
                StatusCode.OK, responses=responses, headers=answered, http=response.status_code, body=response.content
            )
        status = _error_status(response.content) if response.content else Status()
        return Outcome(
            BY_NUMBER[status.code] if status.code else StatusCode.UNKNOWN,
            status.message,
            status=status,
            headers=answered,
            http=response.status_code,
            body=response.content,
        )

    async def _over_grpc(
        self, method: Method, requests: Sequence[Message], metadata: Sequence[Header], timeout: float | None
    ) -> Outcome:
        call = start(self.channel, method, requests, metadata=metadata, timeout=timeout)
        responses: list[Message] = []
        try:
            if method.kind.streams_responses:
                async for response in call:
                    responses.append(response)  # noqa: PERF401 - what came before an error counts
            else:
                responses.append(await call)
        except aio.AioRpcError:
            pass  # noqa: S110 - the call itself tells below
        trailers = Metadata(tuple(await call.trailing_metadata()))
        payload = trailers.get("grpc-status-details-bin")
        code = await call.code()
        return Outcome(
            code,
            await call.details() or "",
            tuple(responses) if code is StatusCode.OK or method.kind.streams_responses else (),
            Status.FromString(payload) if isinstance(payload, bytes) else Status(),
            Metadata(tuple(await call.initial_metadata())),
            trailers,
        )


def start(
    channel: aio.Channel,
    method: Method,
    requests: Sequence[Message] | AsyncIterator[Message] | None,
    *,
    metadata: Sequence[Header] = (),
    timeout: float | None = None,
) -> Any:
    """Start a gRPC call of any kind by its method table entry and return grpc.aio's call object.

    `requests` None leaves a request stream open, to be written to.
    """
    arguments: dict[str, Any] = {"metadata": tuple(metadata) or None, "timeout": timeout}
    codec: dict[str, Any] = {
        "request_serializer": method.request.SerializeToString,
        "response_deserializer": method.response.FromString,
    }
    match method.kind:
        case Kind.UNARY:
            return channel.unary_unary(method.path, **codec)(_only(requests), **arguments)
        case Kind.SERVER_STREAM:
            return channel.unary_stream(method.path, **codec)(_only(requests), **arguments)
        case Kind.CLIENT_STREAM:
            return channel.stream_unary(method.path, **codec)(_iterated(requests), **arguments)
        case Kind.BIDI:
            return channel.stream_stream(method.path, **codec)(_iterated(requests), **arguments)


@asynccontextmanager
async def connected(addresses: Addresses) -> AsyncIterator[Client]:
    """A client of the service at these addresses, closed at the end."""
    options = [("grpc.max_receive_message_length", _LARGEST), ("grpc.use_local_subchannel_pool", 1)]
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with (
        aio.insecure_channel(addresses.grpc, options=options) as channel,
        httpx.AsyncClient(timeout=PATIENCE, limits=limits, trust_env=False) as http,
    ):
        yield Client(addresses, channel, http)


def _only(requests: Any) -> Message:
    request: Message
    (request,) = requests
    return request


def _iterated(requests: Any) -> Any:
    if requests is None or not isinstance(requests, Sequence):
        return requests

    async def iterate() -> AsyncIterator[Message]:
        for request in requests:
            yield request

    return iterate()


def _responses(route: Route, response: httpx.Response) -> tuple[Message, ...]:
    """The messages of an answer that went well."""
    message_type = route.method.response
    body_type: Any = message_type.DESCRIPTOR
    if route.response_body:
        body_type = message_type.DESCRIPTOR.fields_by_name[route.response_body].message_type
    if body_type is not None and body_type.full_name == "google.api.HttpBody":
        return (_http_body(route, response),)
    value = json.loads(response.content)
    values = value if route.method.kind.streams_responses else [value]
    return tuple(_response(route, value) for value in values)


def _response(route: Route, value: Any) -> Message:
    message = route.method.response()
    if route.response_body:
        value = {message.DESCRIPTOR.fields_by_name[route.response_body].json_name: value}
    json_format.ParseDict(value, message)
    return message


def _http_body(route: Route, response: httpx.Response) -> Message:
    message: Any = route.method.response()
    target = getattr(message, route.response_body) if route.response_body else message
    target.content_type, target.data = response.headers.get("content-type", ""), response.content
    return message  # type: ignore[no-any-return]  # protobuf's classes are made at run time


def _error_status(body: bytes) -> Status:
    """The google.rpc.Status in an error body of any of the three shapes; UNKNOWN where it is none of them."""
    status = Status()
    try:
        value = json.loads(body)
        if "error" in value:  # AIP-193
            error = value["error"]
            parsed = {"code": _number(error["status"]), "message": error["message"], "details": error["details"]}
        elif "title" in value:  # RFC 9457
            info = {name: value[name] for name in ("reason", "domain", "metadata")}
            first = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", **info}
            parsed = {"code": _number(value["code"]), "message": value["detail"], "details": [first, *value["details"]]}
        else:
            parsed = value
        json_format.ParseDict(parsed, status)
    except (ValueError, LookupError, TypeError, json_format.Error) as error:
        return Status(code=StatusCode.UNKNOWN.value[0], message=f"an error body that cannot be read: {error}")
    return status


def _number(name: str) -> int:
    number: int = StatusCode[name].value[0]
    return number


