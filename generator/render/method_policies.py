"""The resolved policy of one RPC as Python: a `MethodPolicy` of the runtime, without what is off."""

from __future__ import annotations

from collections.abc import Callable

from generator.plan.model import MethodPlan
from generator.render.python import Construct
from generator.spec.policy import Deadline

# The fields of `MethodPolicy` that are left out where their mechanism is off, in its order; each with what it is made of.
_MECHANISMS: dict[str, Callable[[MethodPlan], Construct | None]] = {}


def method_policy(plan: MethodPlan) -> Construct:
    """The RPC's policy; an optional field stands in it only where its mechanism is on."""
    fields: dict[str, object] = {
        "deadline": _deadline(plan.policy.deadline),
        "criticality": plan.policy.criticality,
    }
    for name, mechanism in _MECHANISMS.items():
        made = mechanism(plan)
        if made is not None:
            fields[name] = made
    return Construct("MethodPolicy", fields)


def _deadline(deadline: Deadline | None) -> Construct | None:
    return Construct("DeadlinePolicy", dict(deadline)) if deadline else None
