"""The load shedding stage: refuses calls, the least critical first, while the process is overloaded."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from grpc import StatusCode

from ..call import Call
from ..classification import SPENT_REASON
from ..clock import every
from ..cpus import CpuUse
from ..definition import Method
from ..errors import ServiceError
from ..measures import DEADLINE_SPENT
from ..pipeline import Endpoint
from ..policies.criticality import RANKS
from ..policies.shedding import Shedder
from ..snapshot import MethodPolicy, SheddingPolicy
from .environment import Environment

INTERVAL = 0.1
"""Seconds between two looks at the process."""

PUSHBACK = 1.0
"""Seconds after which a refused caller may come back, if shedding does not last longer by itself."""

_CRITICAL = RANKS["CRITICAL"]
_SHEDDABLE = RANKS["SHEDDABLE"]


class Watch:
    """Looks at the process from inside, and tells each of `shedders`: how late the event loop is, how busy the CPUs are."""

    def __init__(self, now: Callable[[], float], cpu: Callable[[], float]) -> None:
        self.shedders: list[Shedder] = []
        self._now = now
        self._cpu = cpu

    def look(self, late: float) -> None:
        """Look, as the event loop lets this be called so many seconds late."""
        now, cpu = self._now(), self._cpu()
        for shedder in self.shedders:
            shedder.observe(now, late, cpu)


class LoadShedding:
    """Refuses what the shedder sheds, and SHEDDABLE work while the service is `degraded`; and what is out of time.

    A call whose deadline has passed while it waited to be read costs nothing more: nobody waits for it.
    """

    __slots__ = ("_count", "_count_degraded", "_count_spent", "_degraded", "_pushback", "_shedder")

    def __init__(
        self,
        shedder: Shedder | None,
        degraded: Callable[[], bool] | None,
        pushback: float,
        count: Callable[[str], Callable[[], None]],
    ) -> None:
        self._shedder = shedder
        self._degraded = degraded
        self._pushback = pushback
        self._count = count("overloaded")
        self._count_degraded = count("degraded")
        self._count_spent = count(DEADLINE_SPENT)

    async def __call__(self, call: Call, proceed: Endpoint) -> None:
        deadline = call.deadline
        if deadline is not None and deadline <= call.loop.time():
            self._count_spent()
            raise ServiceError(StatusCode.DEADLINE_EXCEEDED, "it came too late to begin", reason=SPENT_REASON)
        shedder, degraded = self._shedder, self._degraded
        if shedder is not None and shedder.level and shedder.sheds(RANKS.get(call.criticality, _CRITICAL)):
            self._count()
            raise self._refusal("OVERLOADED", "the server is overloaded")
        if degraded is not None and degraded() and RANKS.get(call.criticality, _CRITICAL) == _SHEDDABLE:
            self._count_degraded()
            raise self._refusal("DEGRADED", "the service is degraded, and does only what matters most")
        await proceed(call)

    def _refusal(self, reason: str, text: str) -> ServiceError:
        return ServiceError(StatusCode.UNAVAILABLE, text, reason=reason, retry_after=self._pushback)


def for_method(method: Method, policy: MethodPolicy, environment: Environment) -> LoadShedding | None:
    """The stage; None where the policy is off and nobody judges whether the service is degraded.

    Methods of one policy share a shedder, and all shedders one watch.
    """
    given = policy.load_shedding
    if given is None and environment.degraded is None:
        return None
    shared = environment.shared

    def watched() -> Watch:
        watch = Watch(environment.clock.now, CpuUse().read)
        shared.opened.append(every(environment.clock, INTERVAL, watch.look))
        return watch

    def shedder(policy: SheddingPolicy) -> Shedder:
        made = Shedder(policy.event_loop_lag, policy.cpu_threshold, policy.cool_off, environment.random)
        shared.one(("load_shedding", "watch"), watched).shedders.append(made)
        return made

    pushback, found = PUSHBACK, None
    if given is not None:
        found = shared.one(("load_shedding", given), partial(shedder, given))
        pushback = max(PUSHBACK, given.cool_off)
    return LoadShedding(
        found, environment.degraded, pushback, lambda reason: environment.counter("load_shedding", reason, method)
    )
