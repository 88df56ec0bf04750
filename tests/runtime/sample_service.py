"""A service definition made by hand: one RPC of each kind, routes, error rows; what the runtime's tests serve."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message
from grpc import StatusCode
from runtime.call import Call
from runtime.definition import (
    Application,
    Bind,
    Capture,
    Definition,
    ErrorTable,
    Kind,
    Method,
    Read,
    Route,
    ServiceBase,
)
from runtime.errors import ErrorRow, ServiceError, TableError
from runtime.protojson.scalars import blob
from runtime.routing import Router
from runtime.snapshot import (
    AdminPolicy,
    DeadlinePolicy,
    GrpcPolicy,
    LifecyclePolicy,
    MethodPolicy,
    ObservabilityPolicy,
    RestPolicy,
    Snapshot,
    UnmappedPolicy,
)
from runtime.transport.parameters import MisnamedError, once, variable
from runtime.transport.query import Query
from runtime.transport.query_values import to_int64

SERVICE = "sample.v1.Sample"
_FILE = "sample/v1/sample.proto"


def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.Default()
    try:
        pool.FindFileByName(_FILE)
    except KeyError:
        pool.AddSerializedFile(_file().SerializeToString())
    return pool


def _file() -> descriptor_pb2.FileDescriptorProto:
    """sample.proto: `Note {string text = 1; int64 number = 2; string phone = 3 [debug_redact]; bytes blob = 4}`."""
    file = descriptor_pb2.FileDescriptorProto(name=_FILE, package="sample.v1", syntax="proto3")
    note = file.message_type.add(name="Note")
    fields = descriptor_pb2.FieldDescriptorProto
    types = (fields.TYPE_STRING, fields.TYPE_INT64, fields.TYPE_STRING, fields.TYPE_BYTES)
    for position, (name, kind) in enumerate(zip(("text", "number", "phone", "blob"), types, strict=True), start=1):
        note.field.add(name=name, number=position, type=kind, label=fields.LABEL_OPTIONAL, json_name=name)
    note.field[2].options.debug_redact = True
    service = file.service.add(name="Sample")
    for name, takes_many, gives_many in (
        ("Echo", False, False),
        ("Gather", True, False),
        ("Count", False, True),
        ("Chat", True, True),
    ):
        service.method.add(
            name=name,
            input_type=".sample.v1.Note",
            output_type=".sample.v1.Note",
            client_streaming=takes_many,
            server_streaming=gives_many,
        )
    return file


Note: Any = message_factory.GetMessageClass(_pool().FindMessageTypeByName("sample.v1.Note"))


def _method(name: str, kind: Kind) -> Method:
    return Method(f"/{SERVICE}/{name}", SERVICE, name, name.lower(), kind, Note, Note)


ECHO = _method("Echo", Kind.UNARY)
GATHER = _method("Gather", Kind.CLIENT_STREAM)
COUNT = _method("Count", Kind.SERVER_STREAM)
CHAT = _method("Chat", Kind.BIDI)

ROUTES = (
    Route("POST", "/v1/echo", ("v1", "echo"), "", (), "*", "", ECHO),
    Route("GET", "/v1/echo/{text}", ("v1", "echo", "*"), "", (Capture(("text",), 2, 3),), "", "", ECHO),
    Route("GET", "/v1/count/{number}", ("v1", "count", "*"), "", (Capture(("number",), 2, 3),), "", "", COUNT),
)


def binding(route: Route) -> Bind:
    """As the generator writes it: the function that makes the route's requests."""
    if route.body == "*" or route.method.kind is Kind.BIDI:
        return _whole
    return partial(_captured, [capture.field_path[0] for capture in route.captures])


def _whole(path: Sequence[str], query: Query, body: Any, read: Read) -> Message:
    request: Message = read(Note, body)
    return request


def _captured(names: Sequence[str], path: Sequence[str], query: Query, body: Any, read: Read) -> Message:
    fields: dict[str, Any] = {}
    for name, text in zip(names, path, strict=True):
        fields[name] = variable(name, text, to_int64) if name == "number" else text
    query.into(fields, _take_note)
    request: Message = Note(**fields)
    return request


def _take_note(fields: dict[str, Any], name: str, text: str) -> None:
    match name:
        case "text" | "phone":
            once(fields, name, text)
        case "number":
            once(fields, name, to_int64(text))
        case "blob":
            once(fields, name, blob(text))
        case _:
            raise MisnamedError


class SampleBase(ServiceBase):
    """As the generator writes it: every RPC answers UNIMPLEMENTED."""

    SERVICE: ClassVar[str] = SERVICE
    METHODS: ClassVar[tuple[Method, ...]] = (ECHO, GATHER, COUNT, CHAT)

    async def echo(self, request: Any, call: Call) -> Any:
        raise ServiceError(StatusCode.UNIMPLEMENTED, f"{ECHO.path} is not implemented")

    async def gather(self, requests: AsyncIterator[Any], call: Call) -> Any:
        raise ServiceError(StatusCode.UNIMPLEMENTED, f"{GATHER.path} is not implemented")

    async def count(self, request: Any, call: Call) -> AsyncIterator[Any]:
        raise ServiceError(StatusCode.UNIMPLEMENTED, f"{COUNT.path} is not implemented")
        yield

    async def chat(self, requests: AsyncIterator[Any], call: Call) -> AsyncIterator[Any]:
        raise ServiceError(StatusCode.UNIMPLEMENTED, f"{CHAT.path} is not implemented")
        yield


OUT_OF_STOCK = ErrorRow(
    reason="OUT_OF_STOCK",
    code=StatusCode.FAILED_PRECONDITION,
    http=409,
    business_code="ERR_STOCK_001",
    retryable=False,
    retry_after=None,
    messages={"en": "Only {available} of {sku} left", "zh": "「{sku}」仅剩 {available} 件"},
    placeholders=("available", "sku"),
)
LEDGER_DOWN = ErrorRow(
    reason="LEDGER_DOWN",
    code=StatusCode.UNAVAILABLE,
    http=503,
    business_code="ERR_SYS_003",
    retryable=True,
    retry_after=1.0,
    messages={"en": "The ledger is unavailable, try again shortly", "zh": "服务暂不可用,请稍后再试"},
    placeholders=(),
)
NOT_FOUND = ErrorRow(
    reason="NOT_FOUND",
    code=StatusCode.NOT_FOUND,
    http=404,
    business_code="ERR_RES_002",
    retryable=False,
    retry_after=None,
    messages={"en": "{resource} was not found", "zh": "未找到「{resource}」,请刷新重试"},
    placeholders=("resource",),
)


class OutOfStock(TableError):  # noqa: N818 - named after its reason, as generated
    row: ClassVar[ErrorRow] = OUT_OF_STOCK

    def __init__(self, *, sku: object, available: object) -> None:
        super().__init__({"sku": sku, "available": available})


class LedgerDown(TableError):  # noqa: N818
    row: ClassVar[ErrorRow] = LEDGER_DOWN

    def __init__(self) -> None:
        super().__init__({})


ERRORS = ErrorTable(
    domain="sample.example.com",
    rows={"OUT_OF_STOCK": OUT_OF_STOCK, "LEDGER_DOWN": LEDGER_DOWN},
    by_code={"NOT_FOUND": NOT_FOUND},
)

DEADLINE = DeadlinePolicy(default=10.0, max=30.0, min_remaining=0.0, reserve=0.05)

POLICIES = Snapshot(
    methods={method.path: MethodPolicy(DEADLINE, "CRITICAL") for method in SampleBase.METHODS},
    grpc=GrpcPolicy(0, 256, 4 << 20, 16 << 10, None, None, None, reflection=True),
    rest=RestPolicy(0, 1 << 20, emit_defaults=False, unknown_fields="reject", errors="google"),
    admin=AdminPolicy(0, "127.0.0.1"),
    workers=1,
    lifecycle=LifecyclePolicy(10.0, 0.0, 5.0, 1.0, 20.0),
    observability=ObservabilityPolicy(
        metrics=True,
        buckets=(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
        trace_sampler="parentbased_traceidratio",
        trace_ratio=1.0,
        log_format="json",
        redact=frozenset({"card_number"}),
        propagate=("x-request-id", "x-tenant"),
        labels={"team": "shop"},
    ),
    unmapped=UnmappedPolicy("INTERNAL", redact=True),
    hash="sha256:sample",
)


@asynccontextmanager
async def no_clients(outbound: Any) -> AsyncIterator[None]:
    """The clients of a service without dependencies."""
    yield None


def definition(**policies: Any) -> Definition:
    """The sample's definition; keyword arguments replace parts of its policies (`lifecycle=…`, `unmapped=…`)."""
    return Definition(
        name="sample",
        services=(SampleBase,),
        router=Router(ROUTES),
        bindings=binding,
        errors=ERRORS,
        policies=replace(POLICIES, **policies),
        open_clients=no_clients,
    )


Answer = Callable[[Any, Call], Any]


@dataclass
class Gate:
    """Holds a handler until it is opened, and tells that the handler has come this far: tests without sleeps."""

    entered: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self) -> None:
        self.entered.set()
        await self.opened.wait()


class Sample(SampleBase):
    """A working handler. `Echo` answers by the text of its request:

    `out-of-stock`, `ledger-down`, `not-found`: that error; `crash`: an exception of no table; `hold`: waits for
    `gate`; anything else comes back. `Count` streams `number` notes, `Chat` each note it gets, `Gather` their number.
    """

    def __init__(self, clients: Any = None, gate: Gate | None = None) -> None:
        super().__init__(clients)
        self.gate = gate
        self.cancelled = asyncio.Event()

    async def echo(self, request: Any, call: Call) -> Any:
        match request.text:
            case "out-of-stock":
                raise OutOfStock(sku="a", available=3)
            case "ledger-down":
                raise LedgerDown
            case "not-found":
                raise ServiceError(StatusCode.NOT_FOUND, metadata={"resource": "a"})
            case "crash":
                raise KeyError("the handler's own secret")
            case "hold":
                await self._hold()
        return Note(text=request.text, number=request.number)

    async def gather(self, requests: AsyncIterator[Any], call: Call) -> Any:
        texts = [note.text async for note in requests]
        return Note(text=" ".join(texts), number=len(texts))

    async def count(self, request: Any, call: Call) -> AsyncIterator[Message]:
        for number in range(request.number):
            yield Note(number=number)
        if request.text == "hold":
            await self._hold()
        if request.text == "out-of-stock":
            raise OutOfStock(sku="a", available=3)

    async def chat(self, requests: AsyncIterator[Any], call: Call) -> AsyncIterator[Message]:
        async for note in requests:
            yield note

    async def _hold(self) -> None:
        assert self.gate is not None
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


def application(handler: ServiceBase, *stages: Any) -> Callable[[Any], Any]:
    """An application factory (`app.py`'s) around one handler."""

    @asynccontextmanager
    async def opened(clients: Any) -> AsyncIterator[Application]:
        yield Application([handler], list(stages))

    return opened
