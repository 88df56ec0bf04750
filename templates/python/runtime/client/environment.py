"""What the clients of all dependencies share, and what the calls to one of them have in common."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from google.protobuf.message import Message

from ..breakers import breakers_of
from ..clock import Clock
from ..definition import DependencyFallbacks, Kind, Method
from ..limiter import Limiter, limiter
from ..measures import uncounted
from ..policies.adaptive_timeout import AdaptiveTimeout
from ..policies.breaker import Breaker
from ..shared import Shared
from ..snapshot import (
    AdaptiveTimeoutPolicy,
    BreakerPolicy,
    DependencyPolicy,
    HedgingPolicy,
    OutgoingPolicy,
    RateLimitPolicy,
    RetryPolicy,
    Snapshot,
)
from ..targets import target_of
from .measures import ClientMeasures
from .reachability import Probe

if TYPE_CHECKING:
    from ..stores.redis import RedisStore
    from ..tracing import Tracing

ValueT = TypeVar("ValueT")


@dataclass(frozen=True, slots=True)
class Outbound:
    """What `open_clients` opens clients with; None turns off what it stands for.

    `environ` may say where dependencies are, in place of the policies.
    """

    policies: Snapshot
    environ: Mapping[str, str]
    clock: Clock
    random: random.Random
    measures: ClientMeasures | None = None
    tracing: Tracing | None = None
    shared: Shared = field(default_factory=Shared)
    probes: list[Probe] = field(default_factory=list)  # what is opened adds its own
    observe: Callable[[str, float], None] | None = (
        None  # hears what share of its timeout an attempt took, by dependency
    )
    degraded: Callable[[], bool] | None = None  # whether the service is, so that fallbacks are preferred
    inject_faults: bool = False
    service: str = ""  # its name, which what it keeps elsewhere is kept under
    fallbacks: MutableMapping[str, DependencyFallbacks] = field(
        default_factory=dict
    )  # the application's, by dependency


@dataclass(frozen=True, slots=True)
class Dependency:
    """One dependency, and the state that calls to it share: a breaker, a budget."""

    name: str
    policy: DependencyPolicy
    outbound: Outbound

    @property
    def shared(self) -> Shared:
        """What the calls to it have in common."""
        return self.outbound.shared.one(("dependency", self.name), Shared)

    def one(self, mechanism: str, path: str, make: Callable[[str], ValueT]) -> ValueT:
        """The mechanism's state for an RPC: the dependency's, or the RPC's own where its policy is another.

        `make` is given the path of the RPC whose own it is, "" for the dependency's.
        """
        whole, own = getattr(self.policy.calls, mechanism), getattr(self.policy.of(path), mechanism)
        owner = "" if whole == own else path
        return self.shared.one((mechanism, owner), lambda: make(owner))

    def breaker(self, path: str, policy: BreakerPolicy) -> Breaker:
        """The breaker of an RPC."""
        measures = self.outbound.measures

        def make(owner: str) -> Breaker:
            changed = None if measures is None else measures.breaker(self.name, owner.removeprefix("/"))
            breaker = Breaker(policy, self.outbound.random, changed)
            breakers_of(self.outbound.shared).add(
                "/".join(["client", self.name, *filter(None, [owner.removeprefix("/")])]), breaker
            )
            return breaker

        return self.one("circuit_breaker", path, make)

    def adaptive_timeout(self, path: str, policy: AdaptiveTimeoutPolicy) -> AdaptiveTimeout:
        """The adaptive timeout of an RPC, which opens the RPC's breaker where the dependency is down."""
        own = self.policy.of(path)
        base = policy.floor if own.attempt_timeout is None else own.attempt_timeout
        measures, clock = self.outbound.measures, self.outbound.clock

        def trip() -> None:
            if own.circuit_breaker is not None:
                self.breaker(path, own.circuit_breaker).trip(clock.now())

        def make(owner: str) -> AdaptiveTimeout:
            changed = None if measures is None else measures.adaptive_timeout(self.name, owner.removeprefix("/"))
            return AdaptiveTimeout(policy, base, trip, changed)

        return self.one("adaptive_timeout", path, make)

    def limiter(self, path: str, policy: RateLimitPolicy) -> Limiter:
        """The rate limit of an RPC, with its store."""
        outbound = self.outbound

        def make(owner: str) -> Limiter:
            prefix = f"holdfast:{outbound.service}:calls:{self.name}:{owner}"
            count_failed = self.counter("rate_limit", "store_failed", owner)
            return limiter(policy, outbound.clock, self.redis, prefix, count_failed)

        return self.one("rate_limit", path, make)

    def redis(self, store: str) -> RedisStore:
        """The connection to that dependency, which state is kept in; closed with the dependency's client."""

        def made() -> RedisStore:
            from ..stores.redis import RedisStore  # only here: services without a shared store have no redis-py
            from .redis_client import connect

            policy, outbound = self.outbound.policies.dependencies[store], self.outbound
            opened = RedisStore(store, connect(target_of(store, policy, outbound.environ), policy), outbound.clock.now)
            self.shared.opened.append(opened)
            return opened

        return self.shared.one(("redis", store), made)

    async def close(self) -> None:
        """Close what the stages have opened."""
        for opened in self.shared.opened:
            await opened.__aexit__(None, None, None)

    def counter(self, stage: str, reason: str, path: str) -> Callable[[], None]:
        """Counts what a stage does to calls of that RPC."""
        if self.outbound.measures is None:
            return uncounted
        return self.outbound.measures.event(self.name, stage, reason, path.removeprefix("/"))


@dataclass(frozen=True, slots=True)
class Target:
    """One RPC of a dependency, or one kind of request to it, that a chain is composed for."""

    path: str
    policy: OutgoingPolicy
    kind: Kind
    idempotent: bool  # may be repeated as it is
    system: str = "grpc"  # rpc.system.name, as OpenTelemetry has it
    response: type[Message] | None = None  # what its single response is, None over HTTP

    @property
    def repeatable(self) -> bool:
        """Whether an attempt may be made again: nothing happens twice, and the request can be sent again."""
        return (self.idempotent or self.policy.idempotency is not None) and not self.kind.streams_requests

    @property
    def hedging(self) -> HedgingPolicy | None:
        """The policy by which attempts are sent beside each other, where they may be."""
        policy = self.policy.hedging
        if policy is None or policy.max_attempts < 2 or not self.repeatable or self.kind.streams_responses:
            return None
        return policy

    @property
    def retry(self) -> RetryPolicy | None:
        """The policy by which an attempt is made again, where it may be, and no other is sent beside it."""
        policy = self.policy.retry
        if policy is None or policy.max_attempts < 2 or not self.repeatable or self.hedging is not None:
            return None
        return policy


def target_of_rpc(policy: DependencyPolicy, method: Method) -> Target:
    """What a chain is composed for by which the RPC is called."""
    path = method.path
    return Target(path, policy.of(path), method.kind, path in policy.idempotent, response=method.response)
