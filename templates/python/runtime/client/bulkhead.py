"""The bulkhead stage: no more than so many calls to a dependency run at once, and no call waits long for its turn."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from grpc import StatusCode

from ..clock import Clock
from ..errors import DependencyError
from .environment import Dependency, Target
from .outgoing import Endpoint, Outgoing


class Permits:
    """So many permits, handed on in the order in which they were asked for."""

    __slots__ = ("_count", "_waiting", "free")

    def __init__(self, count: int) -> None:
        self._count = count
        self.free = count
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def held(self) -> int:
        """How many permits calls have now."""
        return self._count - self.free

    def take(self) -> bool:
        """Take a permit that is free, where nobody waits for one."""
        if not self.free:
            return False
        self.free -= 1
        return True

    async def wait(self, seconds: float, clock: Clock) -> bool:
        """Wait for a permit up to that long; whether there was one. A permit that comes too late goes to the next."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        timer = clock.call_later(seconds, turn.cancel)
        try:
            await turn
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if turn.done() and not turn.cancelled():
                self.give_back()  # it came just as the caller went
                raise
            self._waiting.remove(turn)
            if task is not None and task.cancelling():
                raise
            return False
        finally:
            timer.cancel()
        return True

    def give_back(self) -> None:
        """A call is done: its permit is the next one's."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.free += 1


class Bulkhead:
    """Holds a permit for as long as an attempt runs, and none during a backoff."""

    __slots__ = ("_clock", "_count", "_dependency", "_max_wait", "_permits")

    def __init__(
        self, dependency: str, permits: Permits, max_wait: float, clock: Clock, count: Callable[[], None]
    ) -> None:
        self._dependency = dependency
        self._permits = permits
        self._max_wait = max_wait
        self._clock = clock
        self._count = count

    async def __call__(self, outgoing: Outgoing, proceed: Endpoint) -> None:
        if not self._permits.take() and not await self._turn(outgoing):
            self._count()
            raise DependencyError(
                self._dependency,
                StatusCode.RESOURCE_EXHAUSTED,
                "too many calls to it are running",
                method=outgoing.path,
                rejected_by="bulkhead",
            )
        try:
            await proceed(outgoing)
        finally:
            self._permits.give_back()

    async def _turn(self, outgoing: Outgoing) -> bool:
        seconds = self._max_wait
        if outgoing.until is not None:
            seconds = min(seconds, outgoing.until - self._clock.now())
        return seconds > 0 and await self._permits.wait(seconds, self._clock)


def for_target(target: Target, dependency: Dependency) -> Bulkhead | None:
    """The RPC's stage; None where its policy is off."""
    policy = target.policy.bulkhead
    if policy is None:
        return None
    return Bulkhead(
        dependency.name,
        dependency.one("bulkhead", target.path, lambda _: Permits(policy.max_concurrent_calls)),
        policy.max_wait,
        dependency.outbound.clock,
        dependency.counter("bulkhead", "full", target.path),
    )
