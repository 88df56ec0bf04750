"""A caller that speaks both protocols to an address and tells how a call ended in the same words for both."""

from __future__ import annotations

import asyncio
import base64
import importlib
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import grpc
import httpx
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from grpc import StatusCode, aio
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidHandshake

from ..call import Header
from ..definition import Kind, Method, Route
from ..metadata import Metadata
from . import web_socket
from .credentials import Credentials, Tls
from .entries import Entry
from .outcome import Outcome, read_failure, read_message, read_messages
from .rest_request import RestRequest, frame, rest_request
from .scripted import PATIENCE

_LARGEST: Final = 64 << 20  # bytes of a message that the client takes
_PREFIX: Final = "grpc-metadata-"
_HTTP_NAMES: Final = frozenset(
    {"accept", "accept-language", "authorization", "idempotency-key", "traceparent", "tracestate", "x-request-id"}
)
_LOST: Final = "Internal error from Core"
"""What grpc.aio's client puts in the place of a status that came while it was still writing requests."""

_EMPTY: Final = Metadata()


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a service listens: `host:port` for gRPC, base URLs for the others."""

    grpc: str
    rest: str
    admin: str = ""


class Client:
    """Calls a service by its addresses; knows no more of it than its method table and routes.

    With `credentials`, calls are authorised but for those that bring an `authorization` of their own, or are made
    `anonymous`.
    """

    def __init__(
        self,
        addresses: Addresses,
        channel: aio.Channel,
        http: httpx.AsyncClient,
        credentials: Credentials | None = None,
    ) -> None:
        self.addresses = addresses
        self.credentials = credentials
        self.channel = channel
        self.http = http

    async def call(
        self,
        entry: Entry,
        requests: Sequence[Message] | AsyncIterator[Message] | None = None,
        *,
        metadata: Sequence[Header] = (),
        deadline: float | None = None,
        proto_names: bool = False,
        anonymous: bool = False,
    ) -> Outcome:
        """Call an RPC by one of its entries, with its sample requests unless others are given.

        A request stream takes an iterator too, and stays open as long as that has not ended; over REST a
        bidirectional one does.
        `deadline` is what the server is told, in seconds from now; `proto_names` spells JSON as the contract
        does. Cancelling this cancels the call. Raises TimeoutError for a call that does not end.
        """
        messages = entry.requests() if requests is None else requests
        if not anonymous and not any(name == "authorization" for name, _ in metadata):
            metadata = (*self.authorization(entry.method), *metadata)
        async with asyncio.timeout(PATIENCE):
            if entry.route is None:
                outcome = await self._over_grpc(entry.method, messages, metadata, deadline)
                while isinstance(messages, Sequence) and outcome.message == _LOST:
                    outcome = await self._over_grpc(entry.method, messages, metadata, deadline)
                return outcome
            if entry.over_web_socket:
                return await self._over_web_socket(entry.route, entry, messages, metadata, deadline, proto_names)
            if not isinstance(messages, Sequence):
                raise TypeError("a REST request has its messages in one body")
            request = rest_request(entry.route, messages, proto_names=proto_names)
            return await self.send(request, entry.route, metadata=metadata, deadline=deadline)

    def authorization(self, method: Method) -> tuple[Header, ...]:
        """The metadata that authorises a call of the method; none where it needs none."""
        return () if self.credentials is None else self.credentials.headers(method)

    async def send(
        self,
        request: RestRequest,
        route: Route | None = None,
        *,
        metadata: Sequence[Header] = (),
        deadline: float | None = None,
    ) -> Outcome:
        """Send an HTTP request; the answer is read as that route's, where one is given."""
        headers = _http_headers(metadata, deadline)
        if request.content_type:
            headers.append(("content-type", request.content_type))
        try:
            sent = self.http.build_request(
                request.verb, self.addresses.rest + request.target, content=request.body, headers=headers
            )
            sent.method = request.verb  # httpx makes it upper-case
            response = await self.http.send(sent)
        except httpx.TransportError as error:
            return Outcome(StatusCode.UNAVAILABLE, f"{type(error).__name__}: {error}")
        answered = Metadata((_metadata_name(name), value) for name, value in response.headers.multi_items())
        if response.is_success:
            responses = () if route is None or request.verb == "HEAD" else read_messages(route, response)
            return Outcome(
                StatusCode.OK, responses=responses, headers=answered, http=response.status_code, body=response.content
            )
        return read_failure(response.content, answered, response.status_code)

    async def converse(self, entry: Entry, requests: Sequence[Message]) -> tuple[Message, ...]:
        """Send each request of a bidirectional stream once the answer to the last one has come; the answers.

        Raises TimeoutError where no answer comes, AioRpcError or ConnectionClosed for a stream that fails.
        """
        if entry.route is not None:
            return await self._converse_over_web_socket(entry.route, requests)
        call = start(self.channel, entry.method, metadata=self.authorization(entry.method))
        answers: list[Message] = []
        async with asyncio.timeout(PATIENCE):
            for request in requests:
                await call.write(request)
                answers.append(await call.read())
            await call.done_writing()
            await call.read()
        return tuple(answers)

    def web_socket(self, route: Route, request: Message) -> AbstractAsyncContextManager[ClientConnection]:
        """An open WebSocket of a bidirectional route, whose path and query are those of that request."""
        headers = _http_headers(self.authorization(route.method), None)
        return web_socket.opened(self._socket_url(route, request), headers, self._context)

    async def admin_page(self, path: str) -> str:
        """The text of a page of the admin port (`/metrics`). Raises httpx.HTTPStatusError where it is none."""
        response = await self.http.get(f"{self.addresses.admin}{path}")
        response.raise_for_status()
        return response.text

    async def health(self, service: str = "") -> str:
        """The status that `grpc.health.v1` gives that service, "" for the whole server: SERVING, NOT_SERVING, …"""
        pb: Any = importlib.import_module("grpc_health.v1.health_pb2")
        check: Any = self.channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=pb.HealthCheckRequest.SerializeToString,
            response_deserializer=pb.HealthCheckResponse.FromString,
        )
        response = await check(pb.HealthCheckRequest(service=service), timeout=PATIENCE)
        name: str = pb.HealthCheckResponse.ServingStatus.Name(response.status)
        return name

    async def watch_health(self, service: str = "") -> AsyncGenerator[str, None]:
        """The service's status now and at every change, until the server ends the watch."""
        pb: Any = importlib.import_module("grpc_health.v1.health_pb2")
        watch: Any = self.channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            request_serializer=pb.HealthCheckRequest.SerializeToString,
            response_deserializer=pb.HealthCheckResponse.FromString,
        )
        async for response in watch(pb.HealthCheckRequest(service=service)):
            yield pb.HealthCheckResponse.ServingStatus.Name(response.status)

    async def until_sent_away(self) -> None:
        """Wait until the server has told the gRPC connection to end (GOAWAY). Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE):
            while (state := self.channel.get_state()) is grpc.ChannelConnectivity.READY:
                await self.channel.wait_for_state_change(state)

    async def _converse_over_web_socket(self, route: Route, requests: Sequence[Message]) -> tuple[Message, ...]:
        answers: list[Message] = []
        async with (
            asyncio.timeout(PATIENCE),
            self.web_socket(route, requests[0]) as socket,
        ):
            for request in requests:
                await socket.send(frame(route, request), text=True)
                answers.append(read_message(route, json.loads(await socket.recv())))
            await socket.send(web_socket.END, text=True)
            await socket.wait_closed()
        return tuple(answers)

    async def _over_web_socket(
        self,
        route: Route,
        entry: Entry,
        requests: Sequence[Message] | AsyncIterator[Message],
        metadata: Sequence[Header],
        deadline: float | None,
        proto_names: bool,
    ) -> Outcome:
        frames: Any
        if isinstance(requests, Sequence):
            frames = [frame(route, request, proto_names=proto_names) for request in requests]
        else:
            frames = (frame(route, request, proto_names=proto_names) async for request in requests)
        first = requests[0] if isinstance(requests, Sequence) else entry.requests()[0]
        try:
            heard = await web_socket.exchange(
                self._socket_url(route, first), _http_headers(metadata, deadline), frames, self._context
            )
        except (OSError, InvalidHandshake) as error:
            return Outcome(StatusCode.UNAVAILABLE, f"{type(error).__name__}: {error}")
        answered = Metadata((_metadata_name(name), value) for name, value in heard.headers)
        responses = tuple(read_message(route, value) for value in heard.values)
        if heard.code == web_socket.NORMAL:
            return Outcome(StatusCode.OK, responses=responses, headers=answered)
        if not heard.failure:
            return Outcome(StatusCode.UNAVAILABLE, "the connection was lost", responses, headers=answered)
        return read_failure(heard.failure, answered, heard.http, responses)

    @property
    def _context(self) -> ssl.SSLContext | None:
        tls = None if self.credentials is None else self.credentials.tls
        return None if tls is None else tls.context

    def _socket_url(self, route: Route, request: Message) -> str:
        return self.addresses.rest.replace("http", "ws", 1) + rest_request(route, (request,)).target

    async def _over_grpc(
        self, method: Method, requests: Any, metadata: Sequence[Header], deadline: float | None
    ) -> Outcome:
        call = start(self.channel, method, requests, metadata=metadata, deadline=deadline)
        responses: list[Message] = []
        try:
            if method.kind.streams_responses:
                async for response in call:
                    responses.append(response)  # noqa: PERF401 - what came before an error counts
            else:
                responses.append(await call)
        except aio.AioRpcError:
            pass  # the call itself tells below
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
    requests: Sequence[Message] | AsyncIterator[Message] | None = None,
    *,
    metadata: Sequence[Header] = (),
    deadline: float | None = None,
) -> Any:
    """Start a gRPC call of any kind by its method table entry; returns grpc.aio's call object.

    Without `requests`, a request stream is open to be written to.
    """
    arguments: dict[str, Any] = {"metadata": tuple(metadata) or None, "timeout": deadline}
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
async def connected(
    addresses: Addresses, credentials: Credentials | None = None, *, keep_alive: bool = False
) -> AsyncIterator[Client]:
    """A client of the service at these addresses, closed at the end; with credentials, one that is let in.

    It has a gRPC connection for all its calls, and an HTTP one for each, unless they are to be kept for the next.
    """
    options = [("grpc.max_receive_message_length", _LARGEST), ("grpc.use_local_subchannel_pool", 1)]
    tls = None if credentials is None else credentials.tls
    # Without a context, httpx would read the certificates of every authority that the machine knows.
    verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if tls is None else tls.context
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None if keep_alive else 0)
    async with (
        _channel(addresses.grpc, options, tls) as channel,
        httpx.AsyncClient(timeout=PATIENCE, limits=limits, trust_env=False, verify=verify) as http,
    ):
        yield Client(addresses, channel, http, credentials)


def _channel(address: str, options: Sequence[tuple[str, int]], tls: Tls | None) -> aio.Channel:
    if tls is None:
        return aio.insecure_channel(address, options=options)
    return aio.secure_channel(address, tls.channel, options=options)


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


def _http_headers(metadata: Sequence[Header], deadline: float | None) -> list[tuple[str, str]]:
    headers = [_http_header(name, value) for name, value in metadata]
    if deadline is not None:
        headers.append(("grpc-timeout", f"{round(deadline)}S" if deadline > 3600 else f"{round(deadline * 1000)}m"))
    return headers


def _http_header(name: str, value: str | bytes) -> tuple[str, str]:
    """Metadata as REST carries it: some names as they are, `Grpc-Metadata-` before the others, base64 for bytes."""
    text = value if isinstance(value, str) else base64.b64encode(value).decode()
    return (name if name in _HTTP_NAMES else f"{_PREFIX}{name}"), text


def _metadata_name(header: str) -> str:
    return header.lower().removeprefix(_PREFIX)
