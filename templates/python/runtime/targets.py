"""Where a dependency is: as the spec has it, or as the environment does."""

from __future__ import annotations

from collections.abc import Mapping

from .snapshot import DependencyPolicy


def target_variable(dependency: str) -> str:
    """The environment variable that says where the dependency is, in place of the spec's `target`."""
    return f"{dependency.upper().replace('-', '_')}_TARGET"


def target_of(dependency: str, policy: DependencyPolicy, environ: Mapping[str, str]) -> str:
    """Where the dependency is."""
    return environ.get(target_variable(dependency), "").strip() or policy.target
