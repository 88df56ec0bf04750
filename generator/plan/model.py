"""The plan: what will be served and how, with every value's origin; complete without reading a template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from generator.contract.model import Contract, HttpRule, Kind, Rpc, Service
from generator.errors import Finding, Place
from generator.plan.access import AccessPlan
from generator.spec.dependencies import ClientPolicy, Dependency
from generator.spec.environment import Fault
from generator.spec.load import Spec
from generator.spec.policy import ServerPolicy, Validation
from generator.spec.resolve import Setting


@dataclass(frozen=True, slots=True)
class MethodPlan:
    """One RPC with its resolved policy.

    `settings` holds every value of the policy with the level and the line that set it; `chain` the stages that
    are on, outermost first.
    """

    rpc: Rpc
    policy: ServerPolicy
    settings: tuple[Setting, ...]
    chain: tuple[str, ...]
    access: AccessPlan | None = None  # None: nobody is asked who calls
    faults: tuple[Fault, ...] = ()  # deliberate ones that may hit its calls
    validation: Validation | None = None  # as far as there are rules to hold its requests to

    def scope(self, mechanism: str) -> str:
        """Which calls count together for a mechanism that has a state, by its key in the policy block.

        "" is the whole service, where the spec's defaults set it; the service's full name where `Service/*` did; the
        RPC's path where any of its values is a method's own, or a profile's, which is a bundle to be copied.
        """
        levels = {setting.level for setting in self.settings if setting.path.split(".")[0] == mechanism}
        if any(level == "method" or level.startswith("profile ") for level in levels):
            return self.rpc.path
        return self.rpc.path[1:].rpartition("/")[0] if "service" in levels else ""


@dataclass(frozen=True, slots=True)
class ServicePlan:
    service: Service
    methods: tuple[MethodPlan, ...]


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """One REST route that is served, and the RPC it reaches."""

    rule: HttpRule
    rpc: Rpc


@dataclass(frozen=True, slots=True)
class Operation:
    """Requests to a dependency over HTTP that are called in one way; otherwise as an RPC."""

    name: str  # "GET /rates/{base}"; of requests that the spec does not name, their methods: "PATCH, POST"
    path: str  # the same, "" for requests that the spec does not name
    idempotency: str  # as an RPC's idempotency_level
    kind: Kind = Kind.UNARY

    @property
    def full_name(self) -> str:
        """What findings call it."""
        return self.name


@dataclass(frozen=True, slots=True)
class OutgoingPlan:
    """One RPC, or operation, of a dependency with the resolved policy of the calls to it.

    `settings` and `chain` are as in MethodPlan.
    """

    rpc: Rpc | Operation
    policy: ClientPolicy
    settings: tuple[Setting, ...]
    chain: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PeerErrorPlan:
    """One row of a dependency's error table, as far as its callers care."""

    reason: str
    code: str  # gRPC code name
    retryable: bool | None  # None: by the code
    breaker: str | None  # "failure" or "ignore"; None: by the code
    text: str  # in the peer's default language, "" for none
    placeholders: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class DependencyPlan:
    """A service that this one calls.

    `policy` and `settings` are those of the dependency as a whole, `calls` those of each RPC, in declaration order;
    over HTTP those of each operation that the spec names, then of all other requests.
    """

    name: str
    declared: Dependency  # as the spec has it: what does not depend on the RPC
    contract: str  # import path of its .proto, "" for one that has none
    services: tuple[Service, ...]  # of its contract, in declaration order
    policy: ClientPolicy
    settings: tuple[Setting, ...]
    calls: tuple[OutgoingPlan, ...]
    place: Place
    faults: tuple[Fault, ...] = ()  # deliberate ones that may hit calls to it
    domain: str = ""  # of its errors, "" where its table is not known
    errors: tuple[PeerErrorPlan, ...] = ()

    @property
    def protocol(self) -> str:
        """How it is spoken to."""
        return self.declared.protocol

    @property
    def target(self) -> str:
        """Where it is."""
        return self.declared.target

    @property
    def rpcs(self) -> tuple[Rpc, ...]:
        """Every RPC of every service of it."""
        return tuple(rpc for service in self.services for rpc in service.rpcs)


@dataclass(frozen=True, slots=True)
class ErrorRowPlan:
    """One row of the error table with everything filled in."""

    reason: str  # of a row for a bare code, the code's name
    by_code: bool
    code: str  # gRPC code name
    http: int
    business_code: str
    retryable: bool
    retry_after: float | None  # seconds
    messages: Mapping[str, str]  # by language tag, the default language first
    placeholders: tuple[str, ...]  # in order of first appearance in the default language
    breaker: str | None  # "failure" or "ignore"; None: by the code
    slo: str | None  # "good" or "bad"; None: by the code
    place: Place


@dataclass(frozen=True, slots=True)
class Plan:
    """Contract and spec, resolved.

    Services, methods and routes are in contract order, dependencies and rows in spec order.
    """

    name: str
    package: str
    contract: Contract
    spec: Spec
    services: tuple[ServicePlan, ...]
    routes: tuple[RoutePlan, ...]
    dependencies: tuple[DependencyPlan, ...]
    domain: str
    errors: tuple[ErrorRowPlan, ...]
    warnings: tuple[Finding, ...]
    beside: Mapping[str, AccessPlan] = field(default_factory=dict)  # who may call health and reflection, by gRPC path

    @property
    def methods(self) -> tuple[MethodPlan, ...]:
        """Every method of every service."""
        return tuple(method for service in self.services for method in service.methods)
