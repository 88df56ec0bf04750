"""The base of the generated HTTP clients: requests by method and path, each through its chain of policies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, TypedDict, Unpack

from ..definition import Kind
from ..errors import PeerError
from .chain import composed
from .environment import Dependency, Target
from .http_request import IDEMPOTENT, NO_VALUES, VERBS, Body, HttpRequest, Query, content_of, shape, target_of
from .http_response import HttpResponse
from .onward import metadata_onward
from .outgoing import Endpoint, Outgoing
from .peer_errors import PeerErrors, by_reason

_Chain = tuple[str, Endpoint]
"""What calls are named in metrics and errors, and their stages."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A kind of request that the spec says something of: a method and the template of a path."""

    verb: str
    template: str

    def __str__(self) -> str:
        """Its name, as in the spec's `methods`, in metrics and in errors."""
        return f"{self.verb} {self.template}"


@dataclass(frozen=True, slots=True)
class HttpConnection:
    """Connections to one dependency, and what holds for the calls over them."""

    dependency: Dependency
    propagate: frozenset[str]  # names of metadata that calls hand on as headers
    transport: Callable[[Target, PeerErrors], Endpoint]

    def endpoint(self, path: str, verb: str, errors: PeerErrors) -> Endpoint:
        """The chain of the calls of one operation, or of a method's calls that are of none; `errors` are declared."""
        target = Target(path, self.dependency.policy.of(path), Kind.UNARY, verb in IDEMPOTENT, "http")
        return composed(target, self.dependency, self.transport(target, errors))


class Options(TypedDict, total=False):
    """What any request may be given."""

    path: Mapping[str, str | int]  # the variables of the template
    query: Query
    headers: Mapping[str, str]  # beside those that are handed on
    timeout: float  # seconds
    redirects: int  # how many are followed, by default none; only within the dependency, and only of GET and HEAD


class HttpClient:
    """Calls one dependency over HTTP; a generated subclass knows the operations that the spec names.

    A value of the path or of the query fills what it stands for, and changes nothing else. A call is given the least of
    `timeout`, the policy's and what the current call has left, and is not begun without any. An answer from 400 on, and
    none at all, raise DependencyError; any other is returned, a redirect that is not followed as well. Raises ValueError
    for a path that cannot be filled in and for headers that no request can have, TypeError for a body that is no JSON.

    A subclass made without a connection can stand in for the dependency in a test: it overrides `request`.
    """

    DEPENDENCY: ClassVar[str]
    OPERATIONS: ClassVar[tuple[Operation, ...]] = ()
    ERRORS: ClassVar[tuple[type[PeerError], ...]] = ()  # of the dependency's error table, where it is known

    def __init__(self, connection: HttpConnection | None = None) -> None:
        self._connection = connection
        self._errors = by_reason(self.ERRORS)
        self._others: dict[str, _Chain] = {}  # by method, each made at the first request: its metrics come with it
        self._operations: Mapping[tuple[str, str], _Chain] = {}
        if connection is not None:
            self._operations = {
                (each.verb, shape(each.template)): (str(each), connection.endpoint(str(each), each.verb, self._errors))
                for each in self.OPERATIONS
            }

    async def get(self, template: str, **options: Unpack[Options]) -> HttpResponse:
        """GET the path."""
        return await self.request("GET", template, **options)

    async def head(self, template: str, **options: Unpack[Options]) -> HttpResponse:
        """HEAD: what GET would answer, without its content."""
        return await self.request("HEAD", template, **options)

    async def post(self, template: str, body: Body | None = None, **options: Unpack[Options]) -> HttpResponse:
        """POST the body to the path."""
        return await self.request("POST", template, body, **options)

    async def put(self, template: str, body: Body | None = None, **options: Unpack[Options]) -> HttpResponse:
        """PUT the body at the path."""
        return await self.request("PUT", template, body, **options)

    async def patch(self, template: str, body: Body | None = None, **options: Unpack[Options]) -> HttpResponse:
        """PATCH what is at the path with the body."""
        return await self.request("PATCH", template, body, **options)

    async def delete(self, template: str, **options: Unpack[Options]) -> HttpResponse:
        """DELETE what is at the path."""
        return await self.request("DELETE", template, **options)

    async def request(
        self, verb: str, template: str, body: Body | None = None, **options: Unpack[Options]
    ) -> HttpResponse:
        """A request with any of these methods, and OPTIONS. Raises ValueError for another."""
        connection = self._connection
        if connection is None:
            raise RuntimeError(f"{type(self).__name__} has no connection, and does not override request")
        if verb not in VERBS:
            raise ValueError(f"no client sends {verb!r}: {', '.join(VERBS)}")
        redirects = options.get("redirects", 0)
        if redirects and verb not in ("GET", "HEAD"):
            raise ValueError(f"redirects of {verb} are not followed")
        name, endpoint = self._chain(connection, verb, template)
        path, query = options.get("path", NO_VALUES), options.get("query", NO_VALUES)
        target = target_of(template, path, query)
        request = HttpRequest(verb, target, *content_of(body), redirects, template, path, query)
        headers = metadata_onward(connection.propagate, options.get("headers", NO_VALUES).items())
        outgoing = Outgoing(name, request, headers, options.get("timeout"))
        await endpoint(outgoing)
        response: HttpResponse = outgoing.response
        return response

    def _chain(self, connection: HttpConnection, verb: str, template: str) -> _Chain:
        """The operation's, whatever its variables are called here; else that of the method."""
        found = self._operations.get((verb, shape(template))) if self._operations else None
        found = found or self._others.get(verb)
        if found is None:
            found = self._others[verb] = (verb, connection.endpoint(verb, verb, self._errors))
        return found
