"""What callers can rely on beside the contract: routes, errors, deadlines, limits, checks and who may call, out of a plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from generator.breaking.access import Access, access
from generator.breaking.checks import Checks, checks
from generator.contract.model import Contract, HttpRule, Kind, Message, Rpc
from generator.errors import Place
from generator.plan.model import ErrorRowPlan, Plan
from generator.spec.units import format_size

_HTTP_BODY = "google.api.HttpBody"

POLICY_KEYS = (
    "deadline.default",
    "deadline.max",
    "rateLimiter.requestsPerSecond",
    "rateLimiter.burstCapacity",
    "rateLimiter.slidingWindow.limit",
    "rateLimiter.slidingWindow.per",
    "concurrencyLimiter.limit",
    "concurrencyLimiter.maxLimit",
    "concurrencyLimiter.maxStreams",
    "idempotency.required",
    "streaming.idleTimeout",
    "streaming.maxDuration",
    "streaming.maxMessageBytes",
)
"""The values of a method's policy that its callers notice."""


@dataclass(frozen=True, slots=True)
class Route:
    """One way to reach an RPC over REST; `framing` is how its response comes by default."""

    verb: str
    path: str  # the template as written
    body: str
    response_body: str
    framing: str  # "message", "array", "bytes" or "websocket"


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC that is served; `policy` has its values by POLICY_KEYS, as one would write them, as far as they are set."""

    request: str
    response: str
    routes: tuple[Route, ...]
    policy: Mapping[str, str]
    access: Access


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """A row of the error table as clients see it; `metadata` are the keys that come with it."""

    code: str
    http: int
    business_code: str
    metadata: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """All of that for one version of a service.

    `spec_known` says whether there is more than the contract to go by; without, only methods and routes are filled in.
    `declared` are the RPCs of the contract, served or not; `places` those of what findings are about, by the keys that
    `place` takes. Neither is kept.
    """

    roots: tuple[str, ...]  # import paths of the files whose services are served
    methods: Mapping[str, Method]  # by full name
    spec_known: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)  # of the whole service, by their paths in the spec
    errors: Mapping[str, ErrorRow] = field(default_factory=dict)
    codes: Mapping[str, ErrorRow] = field(default_factory=dict)  # rows of errors.byCode
    checks: Checks | None = None  # None in what an older version has kept
    declared: frozenset[str] = field(default=frozenset(), compare=False)
    places: Mapping[str, Place] = field(default_factory=dict, compare=False)

    def place(self, *keys: str) -> Place:
        """The place of the first of `keys` that has one; what is gone from the spec is placed at its start."""
        return next((self.places[key] for key in (*keys, "spec") if key in self.places), Place("."))


def of_contract(contract: Contract) -> Behaviour:
    """What the contract alone says."""
    rpcs = [rpc for service in contract.services for rpc in service.rpcs]
    methods = {rpc.full_name: _method(contract, rpc, rpc.rules, {}, Access()) for rpc in rpcs}
    places = dict(_contract_places(contract, {rpc.full_name: rpc.rules for rpc in rpcs}))
    return Behaviour(_roots(contract), methods, declared=_declared(contract), places=places)


def of_plan(plan: Plan) -> Behaviour:
    """What the contract and the spec say."""
    spec, contract = plan.spec, plan.contract
    rules: dict[str, tuple[HttpRule, ...]] = {}
    for route in plan.routes:
        rules[route.rpc.full_name] = (*rules.get(route.rpc.full_name, ()), route.rule)
    places = dict(_contract_places(contract, rules)) | dict(_message_places(contract))
    places["spec"] = Place(spec.file)
    methods = {}
    for method in plan.methods:
        name = method.rpc.full_name
        told = [setting for setting in method.settings if setting.path in POLICY_KEYS and setting.value is not False]
        policy = {setting.path: str(setting.value) for setting in told}
        places |= {f"{name} {setting.path}": setting.place for setting in told if setting.place is not None}
        if method.access is not None:
            places[f"{name} access"] = method.access.place or spec.key_place("spec", "auth")
        methods[name] = _method(contract, method.rpc, rules.get(name, ()), policy, access(method.access))
    for row in plan.errors:
        places[f"{'code' if row.by_code else 'error'} {row.reason}"] = row.place
    settings = dict(_settings(plan))
    places |= {f"setting {key}": spec.value_place("spec", *key.split(".")) for key in settings}
    return Behaviour(
        roots=_roots(contract),
        methods=methods,
        spec_known=True,
        settings=settings,
        errors={row.reason: _row(row) for row in plan.errors if not row.by_code},
        codes={row.reason: _row(row) for row in plan.errors if row.by_code},
        checks=checks(plan),
        declared=_declared(contract),
        places=places,
    )


def _declared(contract: Contract) -> frozenset[str]:
    return frozenset(
        f"{file.package}.{service.name}.{rpc.name}".removeprefix(".")
        for file in contract.descriptor_set.file
        for service in file.service
        for rpc in service.method
    )


def _roots(contract: Contract) -> tuple[str, ...]:
    """The files of everything that is served, mixins included."""
    served = {service.file for service in contract.services}
    return tuple(sorted(served | {path for path, file in contract.files.items() if file.root}))


def _contract_places(contract: Contract, rules: Mapping[str, tuple[HttpRule, ...]]) -> Iterator[tuple[str, Place]]:
    for service in contract.services:
        yield f"service {service.full_name}", service.place
        for rpc in service.rpcs:
            yield f"rpc {rpc.full_name}", rpc.place
            for rule in rules.get(rpc.full_name, ()):
                yield f"route {rpc.full_name} {rule.verb} {rule.template.text}", rule.place


def _message_places(contract: Contract) -> Iterator[tuple[str, Place]]:
    for message in contract.messages.values():
        yield f"message {message.full_name}", message.place
        yield from ((f"field {message.full_name}.{one.name}", one.place) for one in message.fields)


def _method(
    contract: Contract, rpc: Rpc, rules: tuple[HttpRule, ...], policy: Mapping[str, str], allowed: Access
) -> Method:
    response = contract.messages[rpc.response]
    routes = tuple(
        Route(rule.verb, rule.template.text, rule.body, rule.response_body, _framing(rpc, rule, response))
        for rule in rules
    )
    return Method(rpc.request, rpc.response, routes, policy, allowed)


def _framing(rpc: Rpc, rule: HttpRule, response: Message) -> str:
    """How a response comes to a caller that asks for nothing in particular."""
    if rpc.kind is Kind.BIDI:
        return "websocket"
    answered = response.field(rule.response_body) if rule.response_body else None
    if (answered.type_name if answered else response.full_name) == _HTTP_BODY:
        return "bytes"
    return "array" if rpc.kind.streams_responses else "message"


def _row(row: ErrorRowPlan) -> ErrorRow:
    return ErrorRow(row.code, row.http, row.business_code, tuple(sorted(row.placeholders)))


def _settings(plan: Plan) -> Iterator[tuple[str, str]]:
    body = plan.spec.body
    yield "errors.domain", plan.domain
    yield "errors.rest", body.errors.rest
    yield "errors.unmapped.grpc", body.errors.unmapped.grpc
    yield "server.grpc.maxMessageBytes", format_size(body.server.grpc.max_message_bytes)
    yield "server.grpc.maxMetadataBytes", format_size(body.server.grpc.max_metadata_bytes)
    yield "server.rest.maxBodyBytes", format_size(body.server.rest.max_body_bytes)
    yield "server.rest.emitDefaults", str(body.server.rest.emit_defaults).lower()
    yield "server.rest.unknownFields", body.server.rest.unknown_fields
