"""The requests to a dependency over HTTP that have a policy: those that the spec names, and all others."""

from __future__ import annotations

from generator.plan.model import Operation
from generator.spec.dependencies import Dependency
from generator.spec.fields import HTTP_IDEMPOTENT, HTTP_METHODS

_REPEATABLE, _ONCE = "IDEMPOTENT", "IDEMPOTENCY_UNKNOWN"


def operations(dependency: Dependency) -> tuple[Operation, ...]:
    """The operations in spec order; then the other requests, as one each of those that may be repeated and may not."""
    named = [
        Operation(name, name, _REPEATABLE if name.partition(" ")[0] in HTTP_IDEMPOTENT else _ONCE)
        for name in dependency.methods
    ]
    once = [verb for verb in HTTP_METHODS if verb not in HTTP_IDEMPOTENT]
    others = [Operation(", ".join(HTTP_IDEMPOTENT), "", _REPEATABLE), Operation(", ".join(once), "", _ONCE)]
    return (*named, *others)
