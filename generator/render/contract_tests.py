"""The emitted tests: contract tests that are the generator's, and a first test of each service that is the user's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from generator.plan.model import Plan
from generator.render.emit import Owner
from generator.render.errors import ErrorView
from generator.render.services import ServiceView

File = tuple[str, str, Owner, Mapping[str, object]]
"""A template below its owner's folder (without `.j2`), the emitted path, its owner, its context."""


def files(plan: Plan, services: Sequence[ServiceView], rows: Sequence[ErrorView]) -> Iterator[File]:
    """Every emitted test file."""
    return iter(())
