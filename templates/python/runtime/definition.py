"""What the generated code tells the runtime about a service: its methods, routes, errors and policies."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from google.protobuf.message import Message

from .errors import ErrorRow
from .snapshot import Snapshot

if TYPE_CHECKING:
    from .client.environment import Outbound
    from .pipeline import UserStage
    from .protojson.codec import Generated
    from .routing import Router
    from .transport.query import Query


class Kind(enum.Enum):
    """The four RPC kinds."""

    streams_requests: bool
    streams_responses: bool

    UNARY = "unary"
    CLIENT_STREAM = "client_stream"
    SERVER_STREAM = "server_stream"
    BIDI = "bidi"

    def __init__(self, value: str) -> None:
        self.streams_requests = value in ("client_stream", "bidi")
        self.streams_responses = value in ("server_stream", "bidi")


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC: its names on the wire and in Python, its kind and its message classes."""

    path: str  # "/pkg.Service/Method"
    service: str  # "pkg.Service"
    name: str  # "Method"
    handler: str  # the handler's method name, "method"
    kind: Kind
    request: type[Message]
    response: type[Message]


@dataclass(frozen=True, slots=True)
class Capture:
    """A path variable: the request field it fills and the slice of the route's segments it takes."""

    field_path: tuple[str, ...]
    start: int
    end: int  # exclusive


@dataclass(frozen=True, slots=True)
class Route:
    """One REST binding of an RPC. `segments` are percent-decoded literals, "*" (one) and "**" (any number)."""

    verb: str  # HTTP method, "*" for any
    template: str  # as the contract has it
    segments: tuple[str, ...]
    suffix: str  # custom verb without its colon, "" for none
    captures: tuple[Capture, ...]
    body: str  # "", "*" or a request field
    response_body: str  # "" or a response field
    method: Method


Read: TypeAlias = Callable[[Callable[..., Any], Any], Any]
"""Makes what a request's constructor takes of the body's JSON, with the generated decoder for it; None of an absent body. Where
the body is the whole request it makes that, of its class."""

Bind: TypeAlias = Callable[[Sequence[str], "Query", Any, Read], Message]
"""A route's generated code: what the path's variables captured, the query, the body's JSON and what reads that, to the request.

Raises ServiceError, naming what is wrong with the path or the query; for a body that is not as usual, what a decoder or the
constructor raises.
"""


class ServiceBase:
    """Base of the generated service bases: one per proto service, named and described by its class attributes."""

    SERVICE: ClassVar[str]
    METHODS: ClassVar[tuple[Method, ...]]

    def __init__(self, clients: Any) -> None:
        self.clients = clients


class DependencyFallbacks:
    """Base of the generated classes whose methods answer in the place of a dependency; yours derive from those."""

    DEPENDENCY: ClassVar[str]


@dataclass(frozen=True, slots=True)
class ErrorTable:
    """The service's error table: rows by reason, and the rows for failures raised by code alone."""

    domain: str
    rows: Mapping[str, ErrorRow]  # errors.table, by reason
    by_code: Mapping[str, ErrorRow]  # errors.byCode, by code name


@dataclass(frozen=True, slots=True)
class Definition:
    """Everything generated, in one value; `gen/definition.py` holds the service's."""

    name: str
    services: tuple[type[ServiceBase], ...]
    router: Router
    bindings: Callable[[Route], Bind]
    errors: ErrorTable
    policies: Snapshot
    open_clients: Callable[[Outbound], AbstractAsyncContextManager[Any]]
    codecs: Callable[[str], Generated | None] = field(default=lambda _: None)  # by a message's full name
    openapi: Path | None = None  # the document of the REST side, None for none to serve
    stages: Sequence[UserStage] = ()  # of whoever's templates it was generated from
    fallbacks: tuple[type[DependencyFallbacks], ...] = ()  # of which the application must have one each

    @property
    def routes(self) -> Sequence[Route]:
        """Every REST route, in contract order."""
        return self.router.routes

    @property
    def methods(self) -> tuple[Method, ...]:
        """Every RPC of every service."""
        return tuple(method for service in self.services for method in service.METHODS)


@dataclass(frozen=True, slots=True)
class Application:
    """What `app.py` composes: one handler object per service, and the stages of the user's own.

    A service without a handler answers UNIMPLEMENTED. `fallbacks` are what calls to dependencies fall back on, where the
    spec names methods of yours.
    """

    handlers: Sequence[ServiceBase]
    stages: Sequence[UserStage] = field(default=())
    fallbacks: Sequence[DependencyFallbacks] = field(default=())
    business: Callable[[], float] | None = None  # from 0 to 1: the business signal of the resilience score


ApplicationFactory = Callable[[Any], AbstractAsyncContextManager[Application]]
"""`app.py`'s `application(clients)`: opens resources, yields the Application, closes them after the last call."""

Responses = AsyncIterator[Message]
