"""Exports the models as a JSON schema for editors: `python -m generator.spec.schema [--docs]`."""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from generator import resources
from generator.spec.model import ResilienceSpec
from generator.spec.units import DURATION_PATTERN

FILE = "resilience.v1.schema.json"


_DURATION = {
    "type": "string",
    "title": "Duration",
    "description": "A duration such as 300ms, 1.5s, 2m, 1h30m or 30d.",
    "minLength": 2,
    "pattern": DURATION_PATTERN,
    "examples": ["300ms", "1.5s", "2m", "1h30m", "30d"],
}


class _Generator(GenerateJsonSchema):
    """pydantic's generator without null: an absent key is absent, and a default that says nothing is not shown."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        default = schema.get("default")
        if default in (None, "", ()):
            return self.generate_inner(schema["schema"])
        write: Any = schema["schema"].get("serialization", {}).get("function")
        shown = write(default) if write else self.encode_default(default)
        whole = isinstance(shown, float) and shown.is_integer()
        return {**self.generate_inner(schema["schema"]), "default": int(shown) if whole else shown}


def json_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a resilience spec."""
    exported = ResilienceSpec.model_json_schema(schema_generator=_Generator, mode="validation")
    _tidy(exported)
    exported["$defs"]["Duration"] = _DURATION
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **exported, "title": "Resilience spec, v1"}


def _tidy(node: Any) -> None:
    """Turns our own marks into words, and closes maps to names that do not fit."""
    if isinstance(node, list):
        for item in node:
            _tidy(item)
    if not isinstance(node, dict):
        return
    if node.pop("x-needed", False):
        node.pop("default", None)
        node["description"] += " Must be set at some level."
    if only := node.pop("x-only", None):
        node["description"] += f" Only for: {', '.join(only)}."
    if unit := node.pop("x-unit", None):
        node["description"] += f" In {unit}."
    if node.get("pattern") == DURATION_PATTERN:
        del node["type"], node["pattern"], node["minLength"]
        node["$ref"] = "#/$defs/Duration"
    if "patternProperties" in node:
        node["additionalProperties"] = False
        node.pop("propertyNames", None)
    for item in list(node.values()):
        _tidy(item)


def text() -> str:
    """The schema file's content."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> None:
    """Writes the schema, or with --docs the field tables of docs/spec.md, into this checkout."""
    if arguments == ["--docs"]:
        from generator.spec.reference import update

        page = resources.root() / "docs" / "spec.md"
        page.write_text(update(page.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        (resources.root() / "schemas" / FILE).write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
