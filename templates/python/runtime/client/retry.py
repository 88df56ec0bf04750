"""The retry stage: makes a failed attempt again, as long as that can help and cannot harm."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from ..clock import Clock
from ..errors import DependencyError
from ..policies.backoff import backoff
from ..policies.retry_budget import RetryBudget
from ..snapshot import RetryPolicy
from .environment import Dependency, Target
from .outgoing import Endpoint, Outgoing
from .peer_errors import is_retryable


class Retry:
    """Tries again after what the policy's codes name, unless the peer's own table says otherwise, and after an attempt
    that ran out of its own time.

    Never once a message was handed on, past the call's time, against the peer's pushback, or beyond the budget. A wait
    that the peer asks for takes the place of the backoff, which starts anew after it.
    Source: gRPC proposal A6, "Pushback", "Where Retries Occur".
    """

    __slots__ = ("_budget", "_clock", "_codes", "_count_exhausted", "_count_retry", "_policy", "_random")

    def __init__(
        self,
        policy: RetryPolicy,
        budget: RetryBudget | None,
        clock: Clock,
        random: Random,
        count_retry: Callable[[], None],
        count_exhausted: Callable[[], None],
    ) -> None:
        self._policy = policy
        self._codes = policy.codes
        self._budget = budget
        self._clock = clock
        self._random = random
        self._count_retry = count_retry
        self._count_exhausted = count_exhausted

    async def __call__(self, outgoing: Outgoing, proceed: Endpoint) -> None:
        budget = self._budget
        if budget is not None:
            budget.call(self._clock.now())
        in_a_row = 0  # failures without pushback: what the backoff grows by
        while True:
            try:
                await proceed(outgoing)
            except DependencyError as error:
                if not self._may(outgoing, error):
                    raise
                in_a_row = 0 if error.pushback is not None else in_a_row + 1
                wait = backoff(self._policy, in_a_row, self._random) if error.pushback is None else error.pushback
                if not self._affords(outgoing, wait):
                    raise
            else:
                return
            await self._clock.sleep(wait)
            self._count_retry()
            outgoing.attempt += 1

    def _may(self, outgoing: Outgoing, error: DependencyError) -> bool:
        """Whether another attempt could help."""
        if outgoing.attempt >= self._policy.max_attempts or outgoing.delivered or error.final:
            return False
        if error.pushback is not None and error.pushback < 0:
            return False
        return error.attempt_expired or error.asks_again or is_retryable(error, self._codes)

    def _affords(self, outgoing: Outgoing, wait: float) -> bool:
        """Whether there is time for the wait, and budget for the attempt; which is spent then."""
        now = self._clock.now()
        if outgoing.until is not None and now + wait >= outgoing.until:
            return False
        if self._budget is None or self._budget.spend(now):
            return True
        self._count_exhausted()
        return False


def budget_of(target: Target, dependency: Dependency) -> RetryBudget | None:
    """The budget that retries and hedges of the RPC spend: one for all of the dependency with the same policy."""
    retry = target.policy.retry
    policy = None if retry is None else retry.budget
    return None if policy is None else dependency.shared.one(("budget", policy), lambda: RetryBudget(policy))


def for_target(target: Target, dependency: Dependency) -> Retry | None:
    """The RPC's stage; None where nothing is tried again: by the policy, or as it might happen twice."""
    policy = target.retry
    if policy is None:
        return None
    outbound = dependency.outbound
    return Retry(
        policy,
        budget_of(target, dependency),
        outbound.clock,
        outbound.random,
        dependency.counter("retry", "retried", target.path),
        dependency.counter("retry", "budget_exhausted", target.path),
    )
