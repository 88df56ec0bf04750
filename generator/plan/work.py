"""What a method says it calls, held against the time that it has: a deadline too short for its work expires on the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from generator.errors import Finding, Place
from generator.plan.model import DependencyPlan, MethodPlan, ServicePlan
from generator.spec.layers import method_calls
from generator.spec.load import Spec
from generator.spec.selectors import candidates
from generator.spec.units import format_duration

Calls = tuple[tuple[str, ...], ...]
"""Names of dependencies: groups one after the other, each in parallel."""


def longest(calls: Calls, dependencies: Sequence[DependencyPlan]) -> float | None:
    """Seconds that the calls may take at most; None where one of them has no bound of its own."""
    totals = {each.name: None if each.policy.timeout is None else each.policy.timeout.total for each in dependencies}
    sum_of_groups = 0.0
    for group in calls:
        bounds = [totals.get(name) for name in group]
        known = [bound for bound in bounds if bound is not None]
        if len(known) < len(bounds):
            return None
        sum_of_groups += max(known, default=0.0)
    return sum_of_groups


def check_work(
    spec: Spec, services: Sequence[ServicePlan], dependencies: Sequence[DependencyPlan]
) -> Iterator[Finding]:
    """A warning for each method whose calls may take longer than it has by default, less its reserve."""
    for service in services:
        for method in service.methods:
            calls = method_calls(spec, service.service.full_name, method.rpc.name)
            needed = longest(calls, dependencies) if calls else None
            deadline = method.policy.deadline
            if needed is None or deadline is None or needed <= deadline.default - deadline.reserve:
                continue
            reserve = f" less its reserve of {format_duration(deadline.reserve)}" if deadline.reserve else ""
            message = (
                f"{method.rpc.full_name} has {format_duration(deadline.default)}{reserve}, and its calls may take "
                f"{format_duration(needed)}"
            )
            hint = "lengthen deadline.default, or shorten timeout.total of what is called"
            yield Finding(_place(spec, service, method), "deadline-too-short", message, hint)


def _place(spec: Spec, service: ServicePlan, method: MethodPlan) -> Place:
    """The line of the calls that count: those of the most specific selector that names some."""
    named = [
        text
        for text in candidates(service.service.full_name, method.rpc.name)
        if text in spec.body.methods and spec.body.methods[text].calls is not None
    ]
    return spec.key_place("spec", "methods", named[-1], "calls")
