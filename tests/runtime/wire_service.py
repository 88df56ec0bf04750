"""A service with every kind of field and binding, whose handlers are the tests' own; what the transports serve."""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import grpc_tools
import httpx
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc import aio
from grpc_tools import protoc
from runtime.call import Call
from runtime.definition import Capture, Definition, Kind, Method, Route, ServiceBase
from runtime.routing import Router
from runtime.server import running
from runtime.settings import Settings

from tests.rendered import bindings_of
from tests.runtime import sample_service

SERVICE = "wire.v1.Wire"
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # else httpx reads every certificate there is, 40 ms a client
PROTO = """
syntax = "proto3";
package wire.v1;
import "google/api/httpbody.proto";
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";

enum Color { COLOR_UNSPECIFIED = 0; RED = 1; BLUE = 2; }

message Inner { string name = 1; int32 size = 2; Inner child = 3; repeated Inner children = 4; }

message Item {
  string name = 1;
  int32 i32 = 2;
  int64 i64 = 3;
  uint32 u32 = 4;
  uint64 u64 = 5;
  double f64 = 6;
  float f32 = 7;
  bool flag = 8;
  bytes blob = 9;
  Color color = 10;
  Inner inner = 11;
  repeated string tags = 12;
  repeated int32 numbers = 13;
  map<string, int32> counts = 14;
  optional string nick = 15;
  google.protobuf.Timestamp at = 16;
  google.protobuf.Duration span = 17;
  google.protobuf.FieldMask mask = 18;
  google.protobuf.Int64Value wrapped = 19;
  google.protobuf.Struct extra = 20;
  google.protobuf.Any any = 21;
  oneof choice { string left = 22; int32 right = 23; Inner middle = 24; }
  repeated Inner inners = 25;
  google.api.HttpBody raw = 26;
  string two_words = 27;
  google.protobuf.Value value = 28;
}

service Wire {
  rpc Unary(Item) returns (Item);
  rpc Gather(stream Item) returns (Item);
  rpc Count(Item) returns (stream Item);
  rpc Chat(stream Item) returns (stream Item);
  rpc Upload(google.api.HttpBody) returns (google.api.HttpBody);
  rpc Deposit(stream google.api.HttpBody) returns (Item);
  rpc Download(Item) returns (stream google.api.HttpBody);
  rpc Nothing(Item) returns (google.protobuf.Empty);
}
"""


def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.Default()
    try:
        pool.FindFileByName("wire/v1/wire.proto")
    except KeyError:
        from google.api import httpbody_pb2  # noqa: F401 - into the pool
        from google.protobuf import (  # noqa: F401  # noqa: F401
            any_pb2,
            duration_pb2,
            empty_pb2,
            field_mask_pb2,
            struct_pb2,
            timestamp_pb2,
            wrappers_pb2,
        )

        for file in _compiled().file:
            if file.name == "wire/v1/wire.proto":
                pool.AddSerializedFile(file.SerializeToString())
    return pool


def _compiled() -> descriptor_pb2.FileDescriptorSet:
    with TemporaryDirectory() as folder:
        source = Path(folder, "wire/v1/wire.proto")
        source.parent.mkdir(parents=True)
        source.write_text(PROTO)
        out = Path(folder, "set.binpb")
        includes = [folder, str(Path(grpc_tools.__file__).parent / "_proto"), _installed("google/api/httpbody.proto")]
        arguments = [f"-I{include}" for include in includes]
        assert protoc.main(["protoc", *arguments, f"--descriptor_set_out={out}", str(source)]) == 0
        return descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())


def _installed(proto: str) -> str:
    """The import root that has that proto."""
    from google.api import httpbody_pb2

    return str(Path(httpbody_pb2.__file__).parents[len(Path(proto).parts) - 1])


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(name))


Item: Any = _message("wire.v1.Item")
Inner: Any = _message("wire.v1.Inner")
HttpBody: Any = _message("google.api.HttpBody")
Empty: Any = _message("google.protobuf.Empty")


def _method(name: str, kind: Kind, request: Any = Item, response: Any = Item) -> Method:
    return Method(f"/{SERVICE}/{name}", SERVICE, name, name.lower(), kind, request, response)


UNARY = _method("Unary", Kind.UNARY)
GATHER = _method("Gather", Kind.CLIENT_STREAM)
COUNT = _method("Count", Kind.SERVER_STREAM)
CHAT = _method("Chat", Kind.BIDI)
UPLOAD = _method("Upload", Kind.UNARY, HttpBody, HttpBody)
DEPOSIT = _method("Deposit", Kind.CLIENT_STREAM, HttpBody)
DOWNLOAD = _method("Download", Kind.SERVER_STREAM, Item, HttpBody)
NOTHING = _method("Nothing", Kind.UNARY, Item, Empty)


def route(verb: str, template: str, method: Method = UNARY, *, body: str = "", response_body: str = "") -> Route:
    """The binding as the generator makes it from a valid template."""
    path, _, suffix = template.partition(":") if re.search(r":[^}/]*$", template) else (template, "", "")
    segments: list[str] = []
    captures: list[Capture] = []
    for name, pattern, literal in re.findall(r"/(?:\{([\w.]+)(?:=([^}]*))?\}|([^/{]+))", path):
        parts = [literal] if literal else (pattern or "*").split("/")
        if name:
            captures.append(Capture(tuple(name.split(".")), len(segments), len(segments) + len(parts)))
        segments += parts
    return Route(verb, template, tuple(segments), suffix, tuple(captures), body, response_body, method)


ROUTES = (
    route("POST", "/v1/items", body="*"),
    route("GET", "/v1/items"),
    route("PUT", "/v1/items/{name}", body="inner"),
    route("PATCH", "/v1/items/{name}", body="inner"),
    route("GET", "/v1/items/{name}"),
    route("DELETE", "/v1/items/{name}"),
    route("POST", "/v1/items/{name}:polish", body="*"),
    route("POST", "/v1/tags", body="tags"),
    route("POST", "/v1/counts", body="counts"),
    route("POST", "/v1/middles", body="middle"),
    route("POST", "/v1/values", body="value"),
    route("POST", "/v1/nicks", body="nick"),
    route("POST", "/v1/numbers/{i32}/{inner.child.name}/{color}", body="at"),
    route("GET", "/v1/tags/{name}", response_body="tags"),
    route("GET", "/v1/inner/{name}", response_body="inner"),
    route("GET", "/v1/i64/{name}", response_body="i64"),
    route("GET", "/v1/files/{name=**}"),
    route("POST", "/v1/upload", UPLOAD, body="*"),
    route("POST", "/v1/upload/{name}", body="raw", response_body="raw"),
    route("POST", "/v1/deposit", DEPOSIT, body="*"),
    route("GET", "/v1/download/{name}", DOWNLOAD),
    route("GET", "/v1/count/{i32}", COUNT),
    route("POST", "/v1/gather", GATHER, body="*"),
    route("POST", "/v1/gather/{name}", GATHER, body="inner"),
    route("POST", "/v1/chat", CHAT, body="*"),
    route("GET", "/v1/chat/{name}:talk", CHAT),
    route("POST", "/v1/chat/{name}", CHAT, body="inner", response_body="inner"),
    route("GET", "/v1/nothing", NOTHING),
)


class WireBase(ServiceBase):
    """The service's name and methods."""

    SERVICE: ClassVar[str] = SERVICE
    METHODS: ClassVar[tuple[Method, ...]] = (UNARY, GATHER, COUNT, CHAT, UPLOAD, DEPOSIT, DOWNLOAD, NOTHING)


class Wire(WireBase):
    """Answers what it is asked; `behave`, where given, is what every method does in place of that.

    `requests` keeps what has come, `calls` with which call.
    """

    def __init__(self, behave: Callable[[Any, Call], Any] | None = None) -> None:
        super().__init__(None)
        self.requests: list[Any] = []
        self.calls: list[Call] = []
        self._behave = behave

    async def _one(self, request: Any, call: Call) -> Any:
        self.requests.append(request)
        self.calls.append(call)
        return request if self._behave is None else await self._behave(request, call)

    async def _many(self, request: Any, call: Call) -> AsyncIterator[Any]:
        self.requests.append(request)
        self.calls.append(call)
        if self._behave is not None:
            async for response in self._behave(request, call):
                yield response
        else:
            for number in range(request.i32):
                yield Item(i32=number)

    async def unary(self, request: Any, call: Call) -> Any:
        return await self._one(request, call)

    async def upload(self, request: Any, call: Call) -> Any:
        return await self._one(request, call)

    async def nothing(self, request: Any, call: Call) -> Any:
        await self._one(request, call)
        return Empty()

    async def count(self, request: Any, call: Call) -> AsyncIterator[Any]:
        async for response in self._many(request, call):
            yield response

    async def download(self, request: Any, call: Call) -> AsyncIterator[Any]:
        yield HttpBody(content_type="text/plain", data=b"one ")
        yield HttpBody(content_type="text/plain", data=b"two")

    async def deposit(self, requests: AsyncIterator[Any], call: Call) -> Any:
        self.calls.append(call)
        async for part in requests:
            self.requests.append(part)
        return Item(name=self.requests[-1].content_type if self.requests else "", i32=len(self.requests))

    async def gather(self, requests: AsyncIterator[Any], call: Call) -> Any:
        items = [item async for item in requests]
        self.requests += items
        self.calls.append(call)
        return Item(i32=len(items), tags=[item.name for item in items])

    async def chat(self, requests: AsyncIterator[Any], call: Call) -> AsyncIterator[Any]:
        self.calls.append(call)
        async for item in requests:
            if self._behave is None:
                yield item
            else:
                async for response in self._behave(item, call):
                    yield response


@dataclass(frozen=True)
class Served:
    """A running server, and a client of each protocol."""

    grpc: aio.Channel
    http: httpx.AsyncClient
    grpc_port: int
    rest_port: int


def definition(routes: tuple[Route, ...] = ROUTES, **policies: Any) -> Definition:
    """The definition; keyword arguments replace parts of its policies."""
    base = sample_service.definition()
    deadlines = base.policies.methods[sample_service.ECHO.path]
    methods = {method.path: deadlines for method in WireBase.METHODS}
    return replace(
        base,
        name="wire",
        services=(WireBase,),
        router=Router(routes),
        bindings=bindings_of(routes),
        policies=replace(base.policies, methods=methods, **policies),
    )


def rest_policy(**changes: Any) -> dict[str, Any]:
    """The `policies` argument of `definition` that changes the REST policy."""
    return {"rest": replace(sample_service.POLICIES.rest, **changes)}


@asynccontextmanager
async def serving(handler: ServiceBase, what: Definition | None = None) -> AsyncIterator[Served]:
    """The default chain around the handler, over both protocols, on real sockets."""
    async with (
        running(what or definition(), sample_service.application(handler), Settings(host="127.0.0.1")) as server,
        aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.rest_port}", timeout=10, verify=NO_TLS) as http,
    ):
        yield Served(channel, http, server.grpc_port, server.rest_port)


def multicallable(channel: aio.Channel, method: Method) -> Any:
    """A callable of the method's kind."""
    make = {
        Kind.UNARY: channel.unary_unary,
        Kind.CLIENT_STREAM: channel.stream_unary,
        Kind.SERVER_STREAM: channel.unary_stream,
        Kind.BIDI: channel.stream_stream,
    }[method.kind]
    return make(
        method.path,
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=method.response.FromString,
    )
