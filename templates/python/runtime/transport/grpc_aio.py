"""gRPC on grpc.aio: one generic handler over the method table, with the pipeline fused in."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
from google.protobuf.message import DecodeError, EncodeError, Message
from grpc import StatusCode, aio

from ..call import Call, Header
from ..codes import BY_NUMBER
from ..definition import Definition, ErrorTable, Kind, Method
from ..errors import ServiceError
from ..hurry import Hurry
from ..metadata import Metadata
from ..pipeline import Endpoint
from ..snapshot import GrpcPolicy
from ..status import answer_of, fit
from .faults import caller_gone
from .grpc_services import (
    Admit,
    CertificateOf,
    Context,
    Health,
    RpcHandler,
    guarded,
    health_handlers,
    reflection_handlers,
)
from .grpc_tls import no_certificate, peer_certificate, server_credentials
from .last_calls import LINGER, LastCalls

if TYPE_CHECKING:
    from ..certificates import Certificates

Spawn: TypeAlias = Callable[[Coroutine[Any, Any, Any]], "asyncio.Task[Any]"]

_LOG = logging.getLogger(__name__)
_ANSWER_BUDGET = 8192 - 512  # bytes of trailers: what a gRPC client takes by default, less the transport's own
_AHEAD = 256 << 10  # bytes of a call that are taken in before anybody reads them; of a message that has begun, all
_LINGER = 0.05  # seconds without a new call before the server stops, and for clients to hear of it
_MAX_LINGERS = 20
_NO_DEADLINE = 366 * 86400.0  # seconds; a longer time-out is a client's way to say "none"


class GrpcTransport:
    """A grpc.aio server for the definition's methods, health and reflection."""

    def __init__(
        self,
        definition: Definition,
        endpoints: Mapping[str, Endpoint],
        *,
        host: str,
        port: int,
        health: Health,
        spawn: Spawn,
        reuse_port: bool,
        certificates: Certificates | None = None,
        admissions: Mapping[str, Admit] = MappingProxyType({}),
    ) -> None:
        self._certificates = certificates
        self._admissions = admissions  # by path, of what not everybody may call beside the definition's methods
        self._definition = definition
        self._endpoints = endpoints
        self._address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._health = health
        self._spawn = spawn
        self._reuse_port = reuse_port
        self._server: aio.Server | None = None
        self._methods = _Methods({})
        self._last_calls = LastCalls()
        self._stopping: asyncio.Task[None] | None = None
        self._side_streams: set[asyncio.Task[Any]] = set()  # health watches and reflection, no calls of the service

    async def start(self) -> int:
        """Bind and listen; returns the port. Raises OSError where the address cannot be had."""
        policy = self._definition.policies.grpc
        self._server = aio.server(options=server_options(policy, reuse_port=self._reuse_port))
        names = [service.SERVICE for service in self._definition.services]
        handlers = health_handlers(self._health, names, self._side_streams)
        if policy.reflection:
            handlers |= reflection_handlers(names, self._side_streams)
        tls = self._definition.policies.tls
        certificate = peer_certificate if tls is not None and tls.client_ca else no_certificate
        for path, admit in self._admissions.items():
            if path in handlers:
                handlers[path] = guarded(handlers[path], admit, certificate)
        for method in self._definition.methods:
            endpoint = self._endpoints[method.path]
            handlers[method.path] = _rpc_handler(
                method, endpoint, self._spawn, self._definition.errors, certificate, self._last_calls
            )
        self._methods = _Methods(handlers)
        generic: Any = self._methods
        self._server.add_generic_rpc_handlers((generic,))
        try:
            if self._certificates is None:
                port = self._server.add_insecure_port(self._address)
            else:
                port = self._server.add_secure_port(self._address, server_credentials(self._certificates))
        except RuntimeError as error:
            raise OSError(f"cannot listen on {self._address}: {error}") from error
        await self._server.start()
        return port

    async def stop_accepting(self, hurry: Hurry) -> None:
        """Close the listener and send GOAWAY; calls in flight go on, watches and reflection end.

        Once it stops, gRPC core cancels the calls that it has queued and those that come before the client has seen
        GOAWAY; a client does not try a cancelled call again. So calls on their way are let in first, for the drain
        gate to refuse, until none has come for a moment. A shutdown in a hurry does not wait for them.
        """
        if self._server is None or self._stopping is not None:
            return
        for stream in self._side_streams:
            stream.cancel()
        for _ in range(_MAX_LINGERS):
            seen = self._methods.asked
            await hurry.pause(_LINGER)
            if self._methods.asked == seen:
                break
        self._last_calls.drain(hurry)
        # Without its grace, `stop` would cancel the calls; a later `stop` with a shorter one takes over.
        self._stopping = asyncio.ensure_future(self._server.stop(_NO_DEADLINE))
        await hurry.pause(_LINGER)

    async def stop(self, grace: float) -> None:
        """Wait up to `grace` seconds for the calls in flight, end the rest, and release everything."""
        if self._server is None:
            return
        await self.stop_accepting(Hurry(hurried=True))
        await self._server.stop(max(grace, 2 * LINGER))  # what has ended already may still linger
        if self._stopping is not None:
            await self._stopping


def server_options(policy: GrpcPolicy, *, reuse_port: bool) -> list[tuple[str, int]]:
    """The policy as gRPC core's channel arguments."""
    options: dict[str, float | None] = {
        "grpc.so_reuseport": int(reuse_port),
        "grpc.http2.bdp_probe": 0,  # which lets a caller send 16 MiB ahead of a handler that does not read
        "grpc.http2.lookahead_bytes": _AHEAD,
        "grpc.max_receive_message_length": policy.max_message_bytes,
        "grpc.max_metadata_size": policy.max_metadata_bytes,
        "grpc.absolute_max_metadata_size": policy.max_metadata_bytes,  # core refuses at random between the two
        "grpc.max_concurrent_streams": policy.max_concurrent_streams,
        "grpc.max_connection_age_ms": _ms(policy.max_connection_age),
        "grpc.max_connection_age_grace_ms": _ms(policy.max_connection_age_grace),
    }
    if policy.keepalive is not None:
        options["grpc.keepalive_time_ms"] = _ms(policy.keepalive.time)
        options["grpc.keepalive_timeout_ms"] = _ms(policy.keepalive.timeout)
        options["grpc.http2.ping_timeout_ms"] = _ms(policy.keepalive.timeout)  # a minute otherwise, whatever that says
        options["grpc.http2.min_ping_interval_without_data_ms"] = _ms(policy.keepalive.min_ping_interval)
        options["grpc.keepalive_permit_without_calls"] = 1
    return [(name, int(value)) for name, value in options.items() if value is not None]


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else min(seconds * 1000, 2**31 - 1)


class _Methods:
    """The method table, looked up by path: a grpc.GenericRpcHandler by shape, which is all that grpc.aio asks."""

    def __init__(self, handlers: Mapping[str, RpcHandler]) -> None:
        self._handlers = handlers
        self.asked = 0  # calls so far, known or not

    def service(self, handler_call_details: Any) -> RpcHandler | None:
        self.asked += 1
        return self._handlers.get(handler_call_details.method)


class _GrpcWire:
    """A call's wire: its one request message, which has arrived already, or the stream of them."""

    __slots__ = ("_context", "_message_type", "_request", "_streamed", "answer", "encoded", "headers_sent")

    def __init__(self, context: Context, message_type: type[Message], request: bytes | None) -> None:
        """`request` is None for a request stream."""
        self._context = context
        self._message_type = message_type
        self._request = request
        self._streamed = request is None
        self.headers_sent = False
        self.answer: Message | None = None  # the response that `encoded` is of
        self.encoded: bytes | None = None

    async def receive(self) -> Message | None:
        if self._streamed:
            raw = await self._read()
        else:
            raw, self._request = self._request, None
        return None if raw is None else _decoded(self._message_type, raw)

    async def send_headers(self, headers: Sequence[Header]) -> None:
        self.headers_sent = True
        try:
            await self._context.send_initial_metadata(tuple(headers))
        except aio.BaseError as error:
            raise caller_gone() from error

    async def send(self, message: Message) -> None:
        raw = _encoded(message)
        try:
            await self._context.write(raw)
        except aio.BaseError as error:
            raise caller_gone() from error

    def encode(self, response: Message | None) -> None:
        """Keep the bytes of a unary response. Raises ServiceError."""
        self.encoded = _encoded(response)
        self.answer = response

    async def _read(self) -> bytes | None:
        try:
            raw = await self._context.read()
            if isinstance(raw, bytes):
                return raw
            # Not a message: the end. grpc.aio says so as well of a stream that the caller broke off, and cancels the
            # call a little later: a handler would take half an upload for whole. A second read comes back after that.
            await self._context.read()
        except aio.BaseError as error:
            raise caller_gone() from error
        return None


def _rpc_handler(
    method: Method,
    endpoint: Endpoint,
    spawn: Spawn,
    table: ErrorTable,
    certificate: CertificateOf,
    last_calls: LastCalls,
) -> RpcHandler:
    """The method as grpc.aio wants it: bytes in, bytes out, so that nothing is decoded outside the pipeline."""
    message_type = method.request
    streamed = method.kind.streams_requests

    async def serve(request: Any, context: Context) -> bytes | None:
        wire = _GrpcWire(context, message_type, None if streamed else request)
        peer = context.peer()
        call = Call(
            method,
            "grpc",
            wire,
            _metadata(context),
            peer=peer,
            certificate=certificate(context),
            client_timeout=_client_timeout(context),
            spawn=spawn,
            encode=wire.encode,
        )
        last_calls.begin(peer)
        try:
            await endpoint(call)
            if last_calls.draining:
                await last_calls.wait(peer, _client_timeout(context))
        finally:
            last_calls.end(peer)
        if call.error is None and not call.headers and not call.trailers and call.response is wire.answer is not None:
            return wire.encoded
        return await _finish(call, wire, context, table)

    if method.kind is Kind.UNARY:
        return grpc.unary_unary_rpc_method_handler(serve)
    if method.kind is Kind.SERVER_STREAM:
        return grpc.unary_stream_rpc_method_handler(serve)
    if method.kind is Kind.CLIENT_STREAM:
        return grpc.stream_unary_rpc_method_handler(serve)
    return grpc.stream_stream_rpc_method_handler(serve)


async def _finish(call: Call, wire: _GrpcWire, context: Context, table: ErrorTable) -> bytes | None:
    """Write the call's end; returns the response message of a unary response that went well."""
    error = call.error
    raw: bytes | None = None
    if error is None and not call.method.kind.streams_responses:
        try:
            if call.response is None or call.response is not wire.answer:  # a stage has put another in its place
                wire.encode(call.response)
            raw = wire.encoded
        except ServiceError as fault:
            error = fault
    if call.headers and not wire.headers_sent:
        with suppress(ServiceError):  # the caller has gone
            await wire.send_headers(call.headers)
    if error is not None:
        _set_error(error, call, context, table)
    elif call.trailers:
        context.set_trailing_metadata(tuple(call.trailers))
    return raw


def _set_error(error: ServiceError, call: Call, context: Context, table: ErrorTable) -> None:
    answer = answer_of(error, call.metadata, table)
    trailers = list(call.trailers)
    if call.request_id and ("x-request-id", call.request_id) not in trailers:
        trailers.append(("x-request-id", call.request_id))
    if answer.pushback_ms is not None:
        trailers.append(("grpc-retry-pushback-ms", str(answer.pushback_ms)))
    taken = sum(len(name) + len(value) * 4 // 3 + 34 for name, value in trailers)
    status, payload = fit(answer.status, _ANSWER_BUDGET - taken)
    trailers.append(("grpc-status-details-bin", payload))
    context.set_trailing_metadata(tuple(trailers))
    context.set_code(BY_NUMBER[answer.status.code])
    context.set_details(status.message)


def _metadata(context: Context) -> Metadata:
    pairs: Any = context.invocation_metadata()  # a tuple of pairs, whatever the stubs say
    return Metadata.lower(pairs)


def _client_timeout(context: Context) -> float | None:
    remaining: float | None = context.time_remaining()
    return None if remaining is None or remaining > _NO_DEADLINE else remaining


def _decoded(message_type: type[Message], raw: bytes) -> Message:
    try:
        return message_type.FromString(raw)
    except DecodeError as error:
        # The code that gRPC's status code table has for a message that cannot be parsed.
        raise ServiceError(StatusCode.INTERNAL, "the request message cannot be decoded") from error


def _encoded(message: Message | None) -> bytes:
    if message is None:
        _LOG.error("a unary call ended without a response and without an error")
        raise ServiceError(StatusCode.INTERNAL, "there is no response message")
    try:
        return message.SerializeToString()
    except EncodeError as error:
        _LOG.exception("a response %s cannot be encoded", message.DESCRIPTOR.full_name)
        raise ServiceError(StatusCode.INTERNAL, "the response message cannot be encoded") from error
