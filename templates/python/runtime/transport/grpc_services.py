"""The services every gRPC port has beside the contract's: health and server reflection. No stage wraps them."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeAlias

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.message import DecodeError
from grpc import StatusCode, aio

from ..errors import ServiceError
from ..metadata import Metadata
from ..principal import Peer

Admit: TypeAlias = Callable[[Metadata, Peer | None, float | None], Awaitable[None]]
Context: TypeAlias = "aio.ServicerContext[bytes, bytes]"
RpcHandler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Handlers: TypeAlias = dict[str, RpcHandler]

CertificateOf: TypeAlias = Callable[[Context], Peer | None]

_HEALTH = "grpc.health.v1.Health"
_REFLECTION_ALPHA = "grpc.reflection.v1alpha.ServerReflection"
_REFLECTION = "grpc.reflection.v1.ServerReflection"
_LAST_WRITE = 1.0  # seconds that a stream's last message has to be taken by its peer


class Health(Protocol):
    """What health checks ask."""

    def status(self, service: str) -> bool | None:
        """Whether the service is up, None for a service nobody knows; "" is the whole server."""

    def watch(self, service: str) -> AsyncIterator[bool | None]:
        """The service's status, now and at every change, until shutdown."""


def health_handlers(health: Health, services: Sequence[str], streams: set[asyncio.Task[Any]]) -> Handlers:
    """`grpc.health.v1.Health`; each open watch has its task in `streams`, and ends well when that is cancelled."""
    pb: Any = importlib.import_module("grpc_health.v1.health_pb2")

    def response(up: bool | None) -> Any:
        status = pb.HealthCheckResponse
        if up is None:
            return status(status=status.SERVICE_UNKNOWN)
        return status(status=status.SERVING if up else status.NOT_SERVING)

    async def check(raw: bytes, context: Context) -> Any:
        request = _parsed(pb.HealthCheckRequest, raw, context)
        up = health.status(request.service) if request is not None else None
        if request is not None and up is None:
            context.set_code(StatusCode.NOT_FOUND)
            context.set_details("unknown service")
        return response(up).SerializeToString()

    async def list_all(raw: bytes, context: Context) -> Any:
        _parsed(pb.HealthListRequest, raw, context)
        statuses = {name: response(health.status(name)) for name in ("", *services)}
        return pb.HealthListResponse(statuses=statuses).SerializeToString()

    async def watch(raw: bytes, context: Context) -> None:
        if (request := _parsed(pb.HealthCheckRequest, raw, context)) is not None:
            async for up in health.watch(request.service):
                await _write(context, response(up).SerializeToString())

    return {
        f"/{_HEALTH}/Check": grpc.unary_unary_rpc_method_handler(check),
        f"/{_HEALTH}/List": grpc.unary_unary_rpc_method_handler(list_all),
        f"/{_HEALTH}/Watch": grpc.unary_stream_rpc_method_handler(_ending(watch, streams)),
    }


def reflection_handlers(services: Sequence[str], streams: set[asyncio.Task[Any]]) -> Handlers:
    """Server reflection, v1alpha and v1 with the same answers; open streams are kept as `health_handlers` does.

    grpcio-reflection is imported here: a server without reflection starts faster.
    """
    pb: Any = importlib.import_module("grpc_reflection.v1alpha.reflection_pb2")
    reflection: Any = importlib.import_module("grpc_reflection.v1alpha.reflection")
    _describe_v1(pb.DESCRIPTOR)
    servicer = reflection.aio.ReflectionServicer([*services, _HEALTH, _REFLECTION_ALPHA, _REFLECTION])

    async def requests(context: Context) -> AsyncIterator[Any]:
        while isinstance(raw := await context.read(), bytes):
            if (request := _parsed(pb.ServerReflectionRequest, raw, context)) is None:
                return
            yield request

    async def info(_: object, context: Context) -> None:
        async for answer in servicer.ServerReflectionInfo(requests(context), context):
            await _write(context, answer.SerializeToString())

    handler: Any = grpc.stream_stream_rpc_method_handler(_ending(info, streams))
    return {f"/{name}/ServerReflectionInfo": handler for name in (_REFLECTION_ALPHA, _REFLECTION)}


def _ending(
    serve: Callable[[Any, Context], Awaitable[None]], streams: set[asyncio.Task[Any]]
) -> Callable[[Any, Context], Awaitable[None]]:
    """The stream, kept in `streams` while it is open and ended with OK when its task is cancelled from there.

    A CancelledError that escaped would send no status at all, and hold up the server's stop.
    """

    async def serve_until_cancelled(request: Any, context: Context) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # grpc.aio serves each call in a task
        streams.add(task)
        try:
            await serve(request, context)
        except asyncio.CancelledError:
            task.uncancel()
        except aio.BaseError:
            return  # the peer has gone
        finally:
            streams.discard(task)

    return serve_until_cancelled


async def _write(context: Context, raw: bytes) -> None:
    """Write one message, to its end even where the stream is cancelled meanwhile.

    grpc.aio would send a status into a write that is under way; core refuses that, and the stream never ends.
    """
    writing = asyncio.ensure_future(context.write(raw))
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait([writing], timeout=_LAST_WRITE)
        writing.cancel()  # without effect on one that is done
        await asyncio.gather(writing, return_exceptions=True)  # it may have failed: the peer has gone
        raise


def guarded(handler: RpcHandler, admit: Admit, certificate: CertificateOf) -> RpcHandler:
    """The RPC for those alone whom `admit` lets in; others get the code and the text of its error."""

    def around(serve: Any) -> Any:
        async def admitted(request: Any, context: Context) -> Any:
            pairs: Any = context.invocation_metadata()
            try:
                await admit(Metadata.lower(pairs), certificate(context), context.time_remaining())
            except ServiceError as error:
                context.set_code(error.code)
                context.set_details(error.message)
                return b""
            return await serve(request, context)

        return admitted

    if handler.unary_unary is not None:
        return grpc.unary_unary_rpc_method_handler(around(handler.unary_unary))
    if handler.unary_stream is not None:
        return grpc.unary_stream_rpc_method_handler(around(handler.unary_stream))
    return grpc.stream_stream_rpc_method_handler(around(handler.stream_stream))


def _parsed(message_type: Any, raw: bytes, context: Context) -> Any:
    """The message, or None with the call's code set where the bytes are none."""
    try:
        return message_type.FromString(raw)
    except DecodeError:
        context.set_code(StatusCode.INTERNAL)
        context.set_details("the request message cannot be decoded")
        return None


def _describe_v1(alpha: Any) -> None:
    """Make `grpc.reflection.v1` known to the descriptor pool: v1alpha's file under its new name.

    grpcio-reflection has no v1 module; the two differ in nothing but the package.
    """
    pool = descriptor_pool.Default()
    name = "grpc/reflection/v1/reflection.proto"
    try:
        pool.FindFileByName(name)
    except KeyError:
        file = descriptor_pb2.FileDescriptorProto()
        alpha.CopyToProto(file)
        file.name, file.package = name, "grpc.reflection.v1"
        for message in file.message_type:
            for field in message.field:
                if field.type_name:
                    field.type_name = field.type_name.replace(".v1alpha.", ".v1.")
        for service in file.service:
            for method in service.method:
                method.input_type = method.input_type.replace(".v1alpha.", ".v1.")
                method.output_type = method.output_type.replace(".v1alpha.", ".v1.")
        pool.AddSerializedFile(file.SerializeToString())
