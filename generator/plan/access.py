"""Who may call what: for each RPC the rule that is about it, or that anyone may."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from generator.contract.model import Service
from generator.document import Plain
from generator.errors import Finding, Place
from generator.spec.auth import Auth, Rule
from generator.spec.fields import fields
from generator.spec.layers import BUILT_IN
from generator.spec.load import Spec
from generator.spec.resolve import Setting
from generator.spec.selectors import BESIDE, candidates


@dataclass(frozen=True, slots=True)
class AccessPlan:
    """What a caller of an RPC needs.

    `rule` is None where no rule is about the RPC: then `default` of the spec decides, "deny" or "allow". A public
    RPC has `public`. `selector` and `place` tell which line of the spec decides.
    """

    public: bool
    rule: Rule | None
    default: str
    selector: str
    place: Place | None

    @property
    def denies(self) -> bool:
        """Whether nobody may call."""
        return not self.public and self.rule is None and self.default == "deny"

    @property
    def settings(self) -> tuple[Setting, ...]:
        """What `explain` says of it."""
        if self.public:
            return (Setting("auth.public", True, f"public {self.selector}", self.place),)
        if self.rule is None:
            level = BUILT_IN if self.place is None else "spec"
            return (Setting("auth.default", self.default, level, self.place),)
        values: list[tuple[str, Plain]] = [
            (key, list(getattr(self.rule, field.attribute))) for key, field in fields(Rule).items()
        ]
        level = f"rule {self.selector}"
        needed = tuple(Setting(f"auth.{key}", value, level, self.place) for key, value in values if value)
        return needed or (Setting("auth.rule", {}, level, self.place),)


def access_of(spec: Spec, service: str, method: str) -> AccessPlan | None:
    """Who may call the RPC; `service` is its full name. None where nobody is asked: `auth` is off."""
    auth = spec.body.auth
    if auth is None:
        return None
    selectors = candidates(service, method)
    for selector in reversed(selectors):
        if selector in auth.public:
            place = spec.value_place("spec", "auth", "public", auth.public.index(selector))
            return AccessPlan(True, None, auth.default, selector, place)
    for selector in reversed(selectors):
        if selector in auth.rules:
            place = spec.key_place("spec", "auth", "rules", selector)
            return AccessPlan(False, auth.rules[selector], auth.default, selector, place)
    written = "default" in auth.model_fields_set
    return AccessPlan(False, None, auth.default, "", spec.key_place("spec", "auth", "default") if written else None)


def access_beside(spec: Spec) -> dict[str, AccessPlan]:
    """By gRPC path, who may call health and reflection; their full names alone select them. Empty without `auth`."""
    found = {}
    for service, methods in BESIDE.items():
        for method in methods:
            access = access_of(spec, service, method)
            if access is not None:
                found[f"/{service}/{method}"] = access
    return found


def check_access(spec: Spec, services: Iterable[Service]) -> list[Finding]:
    """A finding for each rule about an RPC that is public: it would never be asked."""
    auth = spec.body.auth
    if auth is None:
        return []
    return sorted({finding for rpc in _every(services) for finding in _contradictions(spec, auth, *rpc)})


def _every(services: Iterable[Service]) -> Iterator[tuple[str, str]]:
    for service in services:
        yield from ((service.full_name, rpc.name) for rpc in service.rpcs)
    for name, methods in BESIDE.items():
        yield from ((name, method) for method in methods)


def _contradictions(spec: Spec, auth: Auth, service: str, method: str) -> Iterator[Finding]:
    access = access_of(spec, service, method)
    if access is None or not access.public:
        return
    for selector in candidates(service, method):
        if selector in auth.rules:
            message = f"{service}/{method} is public: the rule '{selector}' asks nobody"
            line = access.place.line if access.place else 0
            hint = f"take it out of the rule, or out of public in line {line}"
            yield Finding(spec.key_place("spec", "auth", "rules", selector), "rule-for-public-method", message, hint)
