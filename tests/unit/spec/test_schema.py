"""The JSON schema and the reference: in step with the models, and as strict as they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
from jsonschema import Draft202012Validator

from generator import resources
from generator.document import parse, plain
from generator.spec.codes import canonical_codes, error_codes
from generator.spec.fields import Model, fields
from generator.spec.load import load, load_text
from generator.spec.model import ResilienceSpec
from generator.spec.reference import update
from generator.spec.schema import FILE, text
from generator.spec.support import check_support

DATA = Path(__file__).parent / "data"
SCHEMA = json.loads((resources.root() / "schemas" / FILE).read_text(encoding="utf-8"))


def errors(document: str) -> list[str]:
    root, findings = parse(document, "s.yaml")
    assert root is not None
    assert findings == ()
    return [error.json_path for error in Draft202012Validator(SCHEMA).iter_errors(plain(root))]


def test_the_committed_schema_is_the_exported_one() -> None:
    committed = (resources.root() / "schemas" / FILE).read_text(encoding="utf-8")
    assert committed == text(), "run: python -m generator.spec.schema"


def test_the_committed_reference_is_the_generated_one() -> None:
    page = (resources.root() / "docs" / "spec.md").read_text(encoding="utf-8")
    assert page == update(page), "run: python -m generator.spec.schema --docs"


def test_the_schema_is_valid_itself() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", ["full.yaml", "smallest.yaml"])
def test_the_schema_accepts_the_examples(name: str) -> None:
    assert errors((DATA / name).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ("spec: {deadlin: {}}", "$.spec"),
        ("spec: {deadline: {max: 5}}", "$.spec.deadline"),
        ("spec: {deadline: {max: 5 s}}", "$.spec.deadline"),
        ("spec: {criticality: HIGH}", "$.spec.criticality"),
        ("spec: {rateLimiter: true}", "$.spec.rateLimiter"),
        ("spec: {errors: {table: {oops: {}}}}", "$.spec.errors.table"),
        ("spec: {errors: {byCode: {NOPE: {}}}}", "$.spec.errors.byCode"),
        ("spec: {errors: {table: {OOPS: {grpc: OK}}}}", "$.spec.errors.table.OOPS.grpc"),
        ("spec: {errors: {table: {OOPS: {http: 200}}}}", "$.spec.errors.table.OOPS.http"),
        ("spec: {methods: {a b: {}}}", "$.spec.methods"),
        ("spec: {server: {workers: some}}", "$.spec.server.workers"),
        ("spec: {server: {grpc: {port: 70000}}}", "$.spec.server.grpc.port"),
        ("spec: {server: {rest: {maxBodyBytes: 1mb}}}", "$.spec.server.rest.maxBodyBytes"),
        ("spec: {slos: [{objective: null}]}", "$.spec.slos[0].objective"),
        ("kind: Pod", "$.kind"),
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(document: str, path: str) -> None:
    assert errors(document) == [path]


@pytest.mark.parametrize(
    "document", ["spec: {rateLimiter: false, fallback: cache}", "spec: {fallback: {kind: static, value: [1]}}", "{}"]
)
def test_the_schema_accepts_what_the_loader_accepts(document: str) -> None:
    load_text(document, "s.yaml")
    assert errors(document) == []


def models(model: type[Model], seen: set[type[Model]]) -> Iterator[type[Model]]:
    if model in seen:
        return
    seen.add(model)
    yield model
    for field in fields(model).values():
        shape = field.shape
        while shape.item is not None:
            shape = shape.item
        if shape.model is not None:
            yield from models(shape.model, seen)


@pytest.mark.parametrize("model", list(models(ResilienceSpec, set())), ids=lambda model: model.__name__)
def test_every_key_has_a_sentence_and_a_valid_default_and_example(model: type[Model]) -> None:
    definition: dict[str, Any] = SCHEMA if model is ResilienceSpec else SCHEMA["$defs"][model.__name__]
    definition = definition["anyOf"][1] if "anyOf" in definition else definition
    assert model.__doc__
    assert set(definition["properties"]) == set(fields(model))
    for key, shown in definition["properties"].items():
        assert (shown if "description" in shown else referred(shown))["description"].endswith("."), key
        validator = Draft202012Validator({**shown, "$defs": SCHEMA["$defs"]})
        for value in [*shown.get("examples", []), *([shown["default"]] if "default" in shown else [])]:
            assert list(validator.iter_errors(value)) == [], key
        assert field_is_explained(model, key, shown), f"{key} needs an example"


def referred(shown: dict[str, Any]) -> dict[str, Any]:
    """A section whose description says no more than the one it refers to leaves it out."""
    definition: dict[str, Any] = SCHEMA["$defs"][shown["$ref"].rpartition("/")[2]]
    return definition


def field_is_explained(model: type[Model], key: str, shown: dict[str, Any]) -> bool:
    """By a default, an example, a list of choices, or a section of its own."""
    shape = fields(model)[key].shape
    return bool({"default", "examples", "enum", "const"} & set(shown)) or shape.model is not None


def test_the_starter_is_valid_supported_and_means_what_it_says() -> None:
    source = (resources.root() / "templates/python/skeleton/resilience.yaml.jinja").read_text(encoding="utf-8")
    # As copier renders it, with the filters that it brings.
    copiers = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        extensions=["jinja2_ansible_filters.AnsibleCoreFiltersExtension"],
        autoescape=False,  # noqa: S701 - YAML comes out, not HTML
    )
    spec = load_text(copiers.from_string(source).render(name="Shop_2"), "resilience.yaml")
    assert spec.metadata.name == "shop-2"
    assert check_support(spec) == []


def test_there_are_17_canonical_codes_and_16_errors() -> None:
    assert [code.number for code in canonical_codes().values()] == list(range(17))
    assert len(error_codes()) == 16
    assert canonical_codes()["FAILED_PRECONDITION"].http == 400
    assert canonical_codes()["CANCELLED"].http == 499


def test_the_full_example_survives_a_round_trip_through_its_own_canonical_form() -> None:
    document = load(DATA / "full.yaml").document
    written = document.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert ResilienceSpec.model_validate(written) == document
