"""Method selectors: `Method`, `Service/Method`, `package.Service/Method` and `Service/*`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from generator.errors import Finding, InputError, Place, did_you_mean
from generator.spec.fields import SELECTOR_PATTERN

if TYPE_CHECKING:
    from generator.contract.model import Rpc, Service
    from generator.spec.load import Spec

# Served on the gRPC port beside the contract's own services; `auth` alone may name them, by their full names.
BESIDE: dict[str, tuple[str, ...]] = {
    "grpc.health.v1.Health": ("Check", "List", "Watch"),
    "grpc.reflection.v1.ServerReflection": ("ServerReflectionInfo",),
    "grpc.reflection.v1alpha.ServerReflection": ("ServerReflectionInfo",),
}


@dataclass(frozen=True, slots=True)
class Selector:
    """A parsed selector: the service's name, qualified or not ("" for any), the method's ("*" for all)."""

    service: str
    method: str
    place: Place

    @property
    def text(self) -> str:
        return f"{self.service}/{self.method}" if self.service else self.method

    @property
    def level(self) -> str:
        """The level a block under this selector stands at."""
        return "service" if self.method == "*" else "method"


def parse_selector(text: str, place: Place) -> Selector:
    """`text` as a selector; InputError when it is none."""
    if not re.fullmatch(SELECTOR_PATTERN, text):
        hint = "a selector is Method, Service/Method, package.Service/Method or Service/*"
        raise InputError.one(place, "wrong-selector", f"'{text}' is not a selector", hint)
    service, _, method = text.rpartition("/")
    return Selector(service, method, place)


def candidates(service: str, method: str) -> tuple[str, ...]:
    """Every selector that matches the method, the least specific first; `service` is its full name.

    Service/* < package.Service/* < Method < Service/Method < package.Service/Method.
    """
    name = service.rpartition(".")[2]
    texts = (f"{name}/*", f"{service}/*", method, f"{name}/{method}", f"{service}/{method}")
    return tuple(dict.fromkeys(texts))


def match(selector: Selector, services: Iterable[Service]) -> tuple[Rpc, ...]:
    """The RPCs that `selector` means, in the contract's order; a bare method name means it in every service."""
    return tuple(
        rpc
        for service in services
        if selector.service in ("", service.name, service.full_name)
        for rpc in service.rpcs
        if selector.method in ("*", rpc.name)
    )


def check_selectors(spec: Spec, services: Iterable[Service]) -> list[Finding]:
    """A finding for each selector of the spec that matches nothing in the contract."""
    served = tuple(services)
    known = {text for service in served for rpc in service.rpcs for text in candidates(service.full_name, rpc.name)}
    beside = {f"{service}/{method}" for service, methods in BESIDE.items() for method in ("*", *methods)}
    unmatched = [(text, place, known) for text, place in _selectors(spec) if text not in known]
    unmatched += [(text, place, known | beside) for text, place in _auth_selectors(spec) if text not in known | beside]
    return [
        Finding(place, "unknown-method", f"no method of the contract matches '{text}'", _hint(text, choice))
        for text, place, choice in unmatched
    ]


def _hint(text: str, known: set[str]) -> str:
    alike = sorted(other for other in known if ("/" in other) == ("/" in text)) or sorted(known)
    return did_you_mean(text, alike)


def _selectors(spec: Spec) -> Iterator[tuple[str, Place]]:
    body = spec.body
    for selector in body.methods:
        yield selector, spec.key_place("spec", "methods", selector)
    for index, slo in enumerate(body.slos):
        for item, selector in enumerate(slo.sli.methods):
            yield selector, spec.value_place("spec", "slos", index, "sli", "methods", item)
    for index, fault in enumerate(body.chaos.faults):
        for item, selector in enumerate(fault.methods):
            yield selector, spec.value_place("spec", "chaos", "faults", index, "methods", item)


def _auth_selectors(spec: Spec) -> Iterator[tuple[str, Place]]:
    body = spec.body
    if body.auth is not None:
        for selector in body.auth.rules:
            yield selector, spec.key_place("spec", "auth", "rules", selector)
        for item, selector in enumerate(body.auth.public):
            yield selector, spec.value_place("spec", "auth", "public", item)
