"""How a scalar of the spec is spelt: its name in documentation, how it is checked, and a hint for who misspells it.

Each scalar type brings its core schema ready made: building it from chains of annotations is most of what the
models cost at start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema


@dataclass(frozen=True, slots=True, eq=False)
class Spelling:
    """Annotation metadata: `label` names the type, `core` checks it, `schema` is its JSON schema if not `core`'s."""

    label: str
    core: CoreSchema
    schema: Mapping[str, Any] = field(default_factory=dict)
    hint: str = ""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return self.core

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return dict(self.schema) if self.schema else handler(core)


def whole(label: str = "integer", *, ge: int | None = None, le: int | None = None) -> Spelling:
    """An integer, and nothing that merely looks like one."""
    return Spelling(label, core_schema.int_schema(strict=True, ge=ge, le=le))


def number(
    label: str = "number",
    *,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
) -> Spelling:
    """A finite number."""
    return Spelling(label, core_schema.float_schema(strict=True, allow_inf_nan=False, ge=ge, gt=gt, le=le, lt=lt))


def text(label: str = "text", *, pattern: str | None = None, max_length: int = 4096, hint: str = "") -> Spelling:
    """Text, never a number or a truth value turned into one."""
    return Spelling(label, core_schema.str_schema(strict=True, pattern=pattern, max_length=max_length), hint=hint)
