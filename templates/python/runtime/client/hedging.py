"""The hedging stage: sends an attempt beside one that is slow, and takes the first answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from ..clock import Clock
from ..errors import DependencyError
from ..policies.retry_budget import RetryBudget
from ..snapshot import HedgingPolicy
from .environment import Dependency, Target
from .outgoing import Endpoint, Outgoing
from .peer_errors import is_retryable
from .retry import budget_of


class Hedging:
    """The next attempt goes out after `delay`, or at once where one has failed in a way that another may not.

    Any other failure ends the call, as does the first response. The attempts that are left are cancelled and awaited:
    whatever is inside sees a cancellation, which is neither a failure nor a measure of latency. Attempts beyond the
    first spend the retry budget.
    Source: gRPC proposal A6, "Hedging Policy".
    """

    __slots__ = ("_budget", "_clock", "_count_exhausted", "_count_hedge", "_policy")

    def __init__(
        self,
        policy: HedgingPolicy,
        budget: RetryBudget | None,
        clock: Clock,
        count_hedge: Callable[[], None],
        count_exhausted: Callable[[], None],
    ) -> None:
        self._policy = policy
        self._budget = budget
        self._clock = clock
        self._count_hedge = count_hedge
        self._count_exhausted = count_exhausted

    async def __call__(self, outgoing: Outgoing, proceed: Endpoint) -> None:
        if self._budget is not None:
            self._budget.call(self._clock.now())
        forks = [outgoing.fork(attempt) for attempt in range(self._policy.max_attempts, 0, -1)]  # still to be sent
        running: dict[asyncio.Task[None], Outgoing] = {}
        failure: DependencyError | None = None
        _send(forks.pop(), proceed, running)
        wait = self._policy.delay
        try:
            while forks or running:
                ended = await self._first_to_end(running, wait if forks else None)
                for task in ended:
                    fork = running.pop(task)
                    failure = _failure(task)
                    if failure is None:
                        outgoing.response, outgoing.attempt = fork.response, fork.attempt
                        return
                    wait = self._wait_after(failure)
                    if wait < 0:
                        forks.clear()
                if forks and (not ended or wait == 0.0):
                    if self._affords(outgoing, forks):
                        _send(forks.pop(), proceed, running)
                    wait = self._policy.delay
            if failure is not None:
                raise failure
        finally:
            await _cancel(running)

    async def _first_to_end(self, running: Iterable[asyncio.Task[None]], wait: float | None) -> set[asyncio.Task[None]]:
        """The attempts that have ended first; none where `wait` seconds were over before."""
        timer = None if wait is None else asyncio.create_task(self._clock.sleep(wait))
        awaited = {*running} if timer is None else {*running, timer}
        try:
            ended, _ = await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if timer is not None:
                await _cancel((timer,))
        return ended - {timer} if timer is not None else ended

    def _wait_after(self, failure: DependencyError) -> float:
        """Seconds until the next attempt, below 0 for none; raises the failure where it ends the call."""
        if failure.final or not is_retryable(failure, self._policy.non_fatal_codes):
            raise failure
        return 0.0 if failure.pushback is None else failure.pushback

    def _affords(self, outgoing: Outgoing, forks: list[Outgoing]) -> bool:
        """Whether there are time and budget for one more attempt; `forks` is emptied where there will be none."""
        now = self._clock.now()
        if outgoing.until is None or now < outgoing.until:
            if self._budget is None or self._budget.spend(now):
                self._count_hedge()
                return True
            self._count_exhausted()
        forks.clear()
        return False


def _send(fork: Outgoing, proceed: Endpoint, running: dict[asyncio.Task[None], Outgoing]) -> None:
    async def run() -> None:
        await proceed(fork)

    running[asyncio.create_task(run())] = fork


def _failure(task: asyncio.Task[None]) -> DependencyError | None:
    """What an attempt that has ended failed with, None where it did not. Raises what is no DependencyError."""
    error = task.exception()
    if error is None or isinstance(error, DependencyError):
        return error
    raise error


async def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def for_target(target: Target, dependency: Dependency) -> Hedging | None:
    """The RPC's stage; None where attempts are not sent beside each other: by the policy, or as they might harm."""
    policy = target.hedging
    if policy is None:
        return None
    return Hedging(
        policy,
        budget_of(target, dependency),
        dependency.outbound.clock,
        dependency.counter("hedging", "hedged", target.path),
        dependency.counter("hedging", "budget_exhausted", target.path),
    )
