"""The canonical gRPC status codes and the HTTP status each maps to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from generator import resources


@dataclass(frozen=True, slots=True)
class CanonicalCode:
    name: str  # "NOT_FOUND"
    number: int
    http: int
    description: str


@cache
def canonical_codes() -> Mapping[str, CanonicalCode]:
    """All 17 codes by name, in the order of their numbers (schemas/canonical_codes.json)."""
    path = resources.root() / "schemas" / "canonical_codes.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["codes"]
    return MappingProxyType({name: CanonicalCode(name=name, **row) for name, row in rows.items()})


@cache
def error_codes() -> tuple[str, ...]:
    """The names of the 16 codes that are errors: all but OK."""
    return tuple(name for name in canonical_codes() if name != "OK")
