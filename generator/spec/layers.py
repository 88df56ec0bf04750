"""Which blocks of a spec a method's policy is made of, the weakest first."""

from __future__ import annotations

from dataclasses import dataclass

from generator.document import Entry, Mapping, Node, Scalar
from generator.errors import Place
from generator.spec.load import Spec
from generator.spec.selectors import candidates

BUILT_IN = "built-in"


@dataclass(frozen=True, slots=True)
class Layer:
    """A policy block as written, and the level it stands at."""

    level: str
    block: Mapping

    def turns_on(self, key: str) -> Place | None:
        """Where the block names that mechanism, other than to turn it off."""
        entry = self.block.entries.get(key)
        if entry is None or (isinstance(entry.node, Scalar) and entry.node.value is False):
            return None
        return entry.place


def built_in() -> Layer:
    """What is on from the start: a deadline, and the criticality of ordinary work."""
    place = Place(BUILT_IN)
    entries: dict[str, Node] = {"deadline": Mapping({}, place), "criticality": Scalar("CRITICAL", place)}
    return Layer(BUILT_IN, Mapping({key: Entry(place, node) for key, node in entries.items()}, place))


def method_layers(spec: Spec, service: str, method: str) -> tuple[Layer, ...]:
    """The layers of an incoming call: built-in < spec < profile < service < method.

    `service` is the full name, "shop.v1.Orders". The profile is the one that the most specific selector names.
    """
    layers = [built_in(), *_layer(spec, "spec", "spec")]
    selectors = [text for text in candidates(service, method) if text in spec.body.methods]
    for text in reversed(selectors):
        profile = spec.body.methods[text].profile
        if profile is not None:
            layers += _layer(spec, f"profile {profile}", "spec", "profiles", profile)
            break
    for text in selectors:
        layers += _layer(spec, "service" if text.endswith("/*") else "method", "spec", "methods", text)
    return tuple(layers)


def method_calls(spec: Spec, service: str, method: str) -> tuple[tuple[str, ...], ...]:
    """The dependencies a method says it calls: groups in order, each in parallel; () when it says nothing."""
    found = [spec.body.methods[text].calls for text in candidates(service, method) if text in spec.body.methods]
    return next((calls for calls in reversed(found) if calls is not None), ())


def client_layers(spec: Spec, dependency: str, method: str) -> tuple[Layer, ...]:
    """The layers of a call to `method` of `dependency`: dependency < dependency method."""
    layers = _layer(spec, "dependency", "spec", "dependencies", dependency)
    return (*layers, *_layer(spec, "dependency method", "spec", "dependencies", dependency, "methods", method))


def _layer(spec: Spec, level: str, *path: str) -> list[Layer]:
    block = spec.block(*path)
    return [Layer(level, block)] if block is not None else []
