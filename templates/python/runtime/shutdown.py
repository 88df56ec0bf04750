"""The shutdown: fixed steps in a fixed order, each bounded, none skipped because an earlier one failed."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .hurry import Hurry
from .snapshot import LifecyclePolicy
from .stages.drain_gate import draining

if TYPE_CHECKING:
    from .server import Server

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the shutdown. `bound` is in seconds: a step that takes longer is given up."""

    name: str
    run: Callable[[], Awaitable[object]]
    bound: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the shutdown left behind: nothing, when all went well."""

    ended: int = 0  # calls that were ended because the drain took too long
    stuck: int = 0  # calls and tasks that would not end
    failed: tuple[str, ...] = ()  # the steps that failed or were given up


async def shut_down(
    server: Server, policy: LifecyclePolicy, *, patient: bool = True, hurry: Hurry | None = None
) -> Outcome:
    """Take the server down; `patient=False` skips the waits, as `hurry` does once it is set.

    Never raises, unless its own task is cancelled.
    """
    shutdown = _Shutdown(server, policy, hurry or Hurry(hurried=not patient))
    failed = [step.name for step in shutdown.steps() if not await _taken(step)]
    return Outcome(shutdown.ended, shutdown.stuck, tuple(failed))


class _Shutdown:
    """The steps over one server, and what they count."""

    def __init__(self, server: Server, policy: LifecyclePolicy, hurry: Hurry) -> None:
        self._server = server
        self._policy = policy
        self._hurry = hurry
        self.ended = 0
        self.stuck = 0

    def steps(self) -> tuple[Step, ...]:
        """Every step in its order. What deregisters from a registry stands between `not_ready` and `propagation`."""
        server, policy, cleanup = self._server, self._policy, self._policy.cleanup_timeout
        return (
            Step("not_ready", self._not_ready, 1.0),
            Step("propagation", lambda: self._hurry.pause(policy.propagation_delay), policy.propagation_delay + 1.0),
            Step("stop_accepting", lambda: server.stop_accepting(self._hurry), cleanup + 1.0),
            Step("drain", self._drain, policy.drain_timeout + 1.0),
            Step("end_calls", self._end_calls, cleanup + 1.0),
            Step("transports", lambda: server.stop_transports(cleanup), 2 * cleanup + 1.0),
            Step("background", self._background, 2 * cleanup + 1.0),
            Step("application", server.close_application, cleanup),
            Step("stages", server.close_stages, cleanup),
            Step("clients", server.close_clients, cleanup),
            Step("telemetry", self._telemetry, cleanup),
            Step("admin", server.stop_admin, cleanup + 1.0),
        )

    async def _not_ready(self) -> None:
        self._server.begin_drain()

    async def _drain(self) -> None:
        in_flight = self._server.in_flight
        if not await self._hurry.wait_for(in_flight.wait_until_empty(), self._policy.drain_timeout):
            self.ended = in_flight.end_all(draining)

    async def _end_calls(self) -> None:
        in_flight = self._server.in_flight
        if not await Hurry().wait_for(in_flight.wait_until_empty(), self._policy.cleanup_timeout):
            self.stuck += len(in_flight)
            for method, count in Counter(call.method.path for call in in_flight).items():
                _log.error("%d calls of %s ignore their cancellation", count, method)

    async def _background(self) -> None:
        cleanup = self._policy.cleanup_timeout
        await self._hurry.wait_for(self._server.background.wait(cleanup), cleanup)
        if left := await self._server.background.cancel(cleanup):
            self.stuck += left
            _log.error("%d tasks that calls have spawned ignore their cancellation", left)

    async def _telemetry(self) -> None:
        if self._server.measures is not None:
            self._server.measures.batch.flush()
        if self._server.tracing is not None:
            await in_thread(self._server.tracing.shutdown)


async def _taken(step: Step) -> bool:
    """Take one step, in this very task: what the application opened may be bound to it."""
    _log.debug("shutdown: %s", step.name)
    try:
        async with asyncio.timeout(step.bound):
            await step.run()
    except TimeoutError:
        _log.exception("shutdown: %s took longer than %.1f s and was given up", step.name, step.bound)
        return False
    except Exception:  # noqa: BLE001 - the user's code closes here, and what comes after must close all the same
        _log.exception("shutdown: %s failed", step.name)
        return False
    return True


async def in_thread(work: Callable[[], object]) -> None:
    """Run blocking `work` in a thread that does not hold up the exit of the process; raises what it raises."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        failure: BaseException | None = None
        try:
            work()
        except Exception as error:  # noqa: BLE001 - raised again where it is awaited
            failure = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, failure)

    threading.Thread(target=run, name="shutdown", daemon=True).start()
    await done
