"""The outermost stage: counts the calls in flight, and turns every end of a call into `call.error`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator

from grpc import StatusCode

from ..call import Call
from ..definition import Method
from ..errors import ServiceError
from ..pipeline import Endpoint
from ..snapshot import MethodPolicy
from .environment import Environment

_log = logging.getLogger(__name__)


class InFlight:
    """The calls being served: counted, waited for, and at the drain's end ended."""

    __slots__ = ("_calls", "_waiters", "add")

    def __init__(self) -> None:
        self._calls: set[Call] = set()
        self._waiters: list[asyncio.Future[None]] = []
        self.add: Callable[[Call], None] = self._calls.add
        """A call has come."""

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[Call]:
        return iter(tuple(self._calls))

    def discard(self, call: Call) -> None:
        """A call has ended."""
        self._calls.discard(call)
        if not self._calls and self._waiters:
            for waiter in self._waiters:
                if not waiter.done():
                    waiter.set_result(None)
            self._waiters.clear()

    async def wait_until_empty(self) -> None:
        """Return when no call is being served."""
        while self._calls:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    def end_all(self, error: Callable[[], ServiceError]) -> int:
        """Cancel every call; each answers with an error of its own from `error`. Returns how many there were."""
        calls = tuple(self._calls)
        for call in calls:
            call.end(error())
        return len(calls)


class Boundary:
    """Nothing but a genuine cancellation leaves it; how the call ended stands in `call.error`."""

    __slots__ = ("_in_flight",)

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight = in_flight

    async def __call__(self, call: Call, proceed: Endpoint) -> None:
        self._in_flight.add(call)
        try:
            await proceed(call)
        except ServiceError as error:
            call.error = call.ended_with() or error
            if call.cancelled:  # the caller has gone: there is no one to answer
                raise asyncio.CancelledError from error
        except asyncio.CancelledError:
            error_given = call.ended_with()
            if error_given is None and call.cancelled:
                raise
            call.error = error_given or _internal(call)
        except Exception:  # noqa: BLE001 - the last resort: only a stage of the user's own gets here
            call.error = call.ended_with() or _internal(call)
        else:
            call.ended_with()  # it answered although it was told to end: the answer holds
        finally:
            self._in_flight.discard(call)
            call.release()


def for_method(method: Method, policy: MethodPolicy, environment: Environment) -> Boundary:
    """The method's stage; every method has one."""
    return Boundary(environment.in_flight)


def _internal(call: Call) -> ServiceError:
    _log.exception("a stage of %s raised what is no ServiceError", call.method.path)
    return ServiceError(StatusCode.INTERNAL, "internal error")
