"""The metrics stage: durations by method and outcome, and the calls in flight."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from grpc import StatusCode

from ..call import Call
from ..definition import Method
from ..ending import ending
from ..measures import Measures
from ..pipeline import Endpoint
from ..snapshot import MethodPolicy
from .environment import Environment

Observe = Callable[[float], None]


class Metrics:
    """Measures one method's calls; the children of the histograms are looked up once per outcome, then kept.

    `verbs` gives the HTTP method of each of the method's route templates, "_OTHER" where there are several.
    """

    __slots__ = ("_grpc", "_http", "_in_flight", "_measures", "_method", "_verbs")

    def __init__(self, measures: Measures, method: Method, verbs: Mapping[str, str]) -> None:
        self._measures = measures
        self._method = method.path.removeprefix("/")  # the semantic conventions' fully-qualified name
        self._verbs = verbs
        self._grpc: dict[StatusCode | None, Observe] = {}
        self._http: dict[tuple[str | None, int], Observe] = {}
        self._in_flight = measures.in_flight(self._method)

    async def __call__(self, call: Call, proceed: Endpoint) -> None:
        self._in_flight(1.0)
        started = time.perf_counter()
        code: StatusCode | None = None  # None for well: hashing a StatusCode costs as much as counting
        http = 200
        try:
            await proceed(call)
        except BaseException as error:
            code, http, _ = ending(error)
            raise
        finally:
            took = time.perf_counter() - started
            self._in_flight(-1.0)
            if call.protocol == "grpc":
                (self._grpc.get(code) or self._rpc_child(code))(took)
            else:
                (self._http.get((call.route, http)) or self._http_child(call.route, http))(took)

    def _rpc_child(self, code: StatusCode | None) -> Observe:
        child = self._grpc[code] = self._measures.rpc_duration(self._method, "OK" if code is None else code.name)
        return child

    def _http_child(self, route: str | None, status: int) -> Observe:
        verb = self._verbs.get(route or "", "_OTHER")
        child = self._http[route, status] = self._measures.http_duration(verb, route or "", status)
        return child


def for_method(method: Method, policy: MethodPolicy, environment: Environment) -> Metrics | None:
    """The method's stage; None where metrics are off."""
    if environment.measures is None:
        return None
    return Metrics(environment.measures, method, environment.verbs(method))
