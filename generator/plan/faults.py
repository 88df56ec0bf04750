"""Deliberate faults: which of them may hit a method, or calls to a dependency, and whether they are too many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from generator.contract.model import Service
from generator.document import Plain
from generator.errors import Finding
from generator.spec.environment import Fault
from generator.spec.load import Spec
from generator.spec.resolve import Setting
from generator.spec.selectors import candidates
from generator.spec.units import format_duration


def faults_of(spec: Spec, service: str, method: str) -> tuple[tuple[int, Fault], ...]:
    """The faults that may hit the RPC, each with its index in the spec; `service` is its full name."""
    chaos = spec.body.chaos
    if not chaos.enabled or not chaos.allowed_environments:
        return ()
    selectors = candidates(service, method)
    return tuple(
        (index, fault)
        for index, fault in enumerate(chaos.faults)
        if not fault.dependencies and (not fault.methods or any(selector in fault.methods for selector in selectors))
    )


def faults_of_dependency(spec: Spec, name: str) -> tuple[tuple[int, Fault], ...]:
    """The faults that may hit calls to the dependency, each with its index in the spec."""
    chaos = spec.body.chaos
    if not chaos.enabled or not chaos.allowed_environments:
        return ()
    return tuple((index, fault) for index, fault in enumerate(chaos.faults) if name in fault.dependencies)


def settings_of(spec: Spec, faults: Iterable[tuple[int, Fault]]) -> tuple[Setting, ...]:
    """What `explain` says of them."""
    found = []
    for index, fault in faults:
        value: dict[str, Plain] = {"percent": fault.percent}
        if fault.latency is not None:
            value["latency"] = format_duration(fault.latency)
        if fault.abort is not None:
            value["abort"] = fault.abort
        if fault.header is not None:
            value["header"] = fault.header
        place = spec.key_place("spec", "chaos", "faults", index)
        found.append(Setting(f"chaos.faults[{index}]", value, "spec", place))
    return tuple(found)


def check_faults(spec: Spec, services: Iterable[Service]) -> list[Finding]:
    """A finding for each fault with which more than `maxPercent` of a method's or a dependency's calls would be hit."""
    findings: set[Finding] = set()
    for service in services:
        for rpc in service.rpcs:
            findings.update(_too_many(spec, rpc.name, faults_of(spec, service.full_name, rpc.name)))
    for name in spec.body.dependencies:
        findings.update(_too_many(spec, name, faults_of_dependency(spec, name)))
    return sorted(findings)


def _too_many(spec: Spec, whose: str, faults: Iterable[tuple[int, Fault]]) -> Iterator[Finding]:
    most, total = spec.body.chaos.max_percent, 0.0
    for index, fault in faults:
        total += 0.0 if fault.header else fault.percent
        if total > most and not fault.header:
            place = spec.value_place("spec", "chaos", "faults", index, "percent")
            message = f"faults would hit {total:g} % of the calls of {whose}, more than maxPercent ({most:g})"
            hint = "lower percent, bind the fault to a header, or raise maxPercent"
            yield Finding(place, "too-many-faults", message, hint)
            return
