"""The stages that measure: calls as those see them who make them, and attempts as they go out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from grpc import StatusCode

from ..errors import DependencyError
from .environment import Dependency, Target
from .measures import ClientMeasures
from .outgoing import Endpoint, Outgoing


class CallMetrics:
    """Measures one RPC's calls; the children of the histogram are looked up once per outcome, then kept."""

    __slots__ = ("_children", "_dependency", "_measures", "_method", "_system")

    def __init__(self, measures: ClientMeasures, dependency: str, system: str, path: str) -> None:
        self._measures = measures
        self._dependency = dependency
        self._system = system
        self._method = path.removeprefix("/")  # the semantic conventions' fully-qualified name
        self._children: dict[StatusCode | None, Callable[[float], None]] = {}

    async def __call__(self, outgoing: Outgoing, proceed: Endpoint) -> None:
        began = time.perf_counter()
        code: StatusCode | None = None  # None for well: hashing a StatusCode costs as much as counting
        try:
            await proceed(outgoing)
        except DependencyError as error:
            code = error.code_received
            raise
        except asyncio.CancelledError:
            code = StatusCode.CANCELLED
            raise
        except BaseException:
            code = StatusCode.INTERNAL
            raise
        finally:
            (self._children.get(code) or self._child(code))(time.perf_counter() - began)

    def _child(self, code: StatusCode | None) -> Callable[[float], None]:
        name = "OK" if code is None else code.name
        child = self._measures.duration(self._dependency, self._system, self._method, name)
        self._children[code] = child
        return child


class AttemptMetrics:
    """Counts the attempts that reach the transport, by how they end."""

    __slots__ = ("_children", "_dependency", "_measures", "_method")

    def __init__(self, measures: ClientMeasures, dependency: str, path: str) -> None:
        self._measures = measures
        self._dependency = dependency
        self._method = path.removeprefix("/")
        self._children: dict[StatusCode | None, Callable[[], None]] = {}

    async def __call__(self, outgoing: Outgoing, proceed: Endpoint) -> None:
        code: StatusCode | None = None
        try:
            await proceed(outgoing)
        except DependencyError as error:
            code = error.code_received
            raise
        except asyncio.CancelledError:
            code = StatusCode.CANCELLED
            raise
        except BaseException:
            code = StatusCode.INTERNAL
            raise
        finally:
            (self._children.get(code) or self._child(code))()

    def _child(self, code: StatusCode | None) -> Callable[[], None]:
        child = self._measures.attempt(self._dependency, self._method, "OK" if code is None else code.name)
        self._children[code] = child
        return child


def for_call(target: Target, dependency: Dependency) -> CallMetrics | None:
    """The stage around the RPC's calls; None where metrics are off."""
    measures = dependency.outbound.measures
    return None if measures is None else CallMetrics(measures, dependency.name, target.system, target.path)


def for_attempt(target: Target, dependency: Dependency) -> AttemptMetrics | None:
    """The stage around the RPC's attempts; None where metrics are off."""
    measures = dependency.outbound.measures
    return None if measures is None else AttemptMetrics(measures, dependency.name, target.path)
