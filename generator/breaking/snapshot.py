"""A behaviour as JSON, to be kept beside the contract: sorted, one thing a line, each policy once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from generator.breaking.access import Access
from generator.breaking.behaviour import POLICY_KEYS, Behaviour, ErrorRow, Method, Route
from generator.breaking.checks import Checks
from generator.errors import InputError, Place

VERSION = 1

_NEEDS = ("nothing", "token", "refused")
_HINT = (
    "restore it from version control; or delete it and run `holdfast generate`, which then compares the contract alone"
)


def dump(behaviour: Behaviour) -> bytes:
    """The behaviour as JSON, without places."""
    policies = sorted({tuple(sorted(method.policy.items())) for method in behaviour.methods.values()})
    document = {
        "version": VERSION,
        "roots": sorted(behaviour.roots),
        "settings": dict(sorted(behaviour.settings.items())),
        "errors": {reason: _row(row) for reason, row in sorted(behaviour.errors.items())},
        "codes": {code: _row(row) for code, row in sorted(behaviour.codes.items())},
        "policies": [dict(policy) for policy in policies],
        "methods": {
            name: _method(method, policies.index(tuple(sorted(method.policy.items()))))
            for name, method in sorted(behaviour.methods.items())
        },
    }
    if behaviour.checks is not None:
        document["checks"] = {name: dict(sorted(told.items())) for name, told in sorted(behaviour.checks.items())}
    return ("".join(f"{line}\n" for line in _lines(document))).encode()


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    """The document's sections, with one line for each entry of those that have some."""
    yield "{"
    for index, (name, section) in enumerate(document.items()):
        comma = "," if index < len(document) - 1 else ""
        if not section or not isinstance(section, dict | list):
            yield f" {_text(name)}: {_text(section)}{comma}"
            continue
        opening, closing = "{}" if isinstance(section, dict) else "[]"
        yield f" {_text(name)}: {opening}"
        entries = (
            [f"{_text(key)}: {_text(value)}" for key, value in section.items()]
            if isinstance(section, dict)
            else [_text(value) for value in section]
        )
        yield ",\n".join(f"  {entry}" for entry in entries)
        yield f" {closing}{comma}"
    yield "}"


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(", ", ": "))


def _row(row: ErrorRow) -> dict[str, Any]:
    return {"code": row.code, "http": row.http, "businessCode": row.business_code, "metadata": list(row.metadata)}


def _method(method: Method, policy: int) -> dict[str, Any]:
    allowed = method.access
    document: dict[str, Any] = {"request": method.request, "response": method.response, "policy": policy}
    if method.routes:
        document["routes"] = [
            [route.verb, route.path, route.body, route.response_body, route.framing] for route in method.routes
        ]
    if allowed != Access():
        scopes = (allowed.any_scope, allowed.all_scopes, allowed.any_role)
        document["access"] = [allowed.needs, *(sorted(names) for names in scopes)]
    return document


def load(content: bytes, file: str) -> Behaviour:
    """The behaviour in `content`; `file` is what findings call it. Raises InputError where it is none."""
    try:
        return _read(json.loads(content))
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError):
        message = "it is not what holdfast wrote"
        raise InputError.one(Place(file), "baseline-unreadable", message, _HINT) from None


def _read(document: Any) -> Behaviour:
    """Raises one of the errors that Python has for values of another kind."""
    if document["version"] != VERSION:
        raise ValueError(document["version"])
    policies = [{key: str(one[key]) for key in POLICY_KEYS if key in one} for one in document["policies"]]
    return Behaviour(
        roots=tuple(map(str, document["roots"])),
        methods={str(name): _read_method(one, policies) for name, one in document["methods"].items()},
        spec_known=True,
        settings={str(key): str(value) for key, value in document["settings"].items()},
        errors={str(reason): _read_row(row) for reason, row in document["errors"].items()},
        codes={str(code): _read_row(row) for code, row in document["codes"].items()},
        checks=_read_checks(document["checks"]) if "checks" in document else None,
    )


def _read_checks(document: Any) -> Checks:
    """Raises ValueError for a value that is no JSON."""
    read = {str(name): {str(rule): str(value) for rule, value in told.items()} for name, told in document.items()}
    for told in read.values():
        for value in told.values():
            json.loads(value)
    return read


def _read_row(row: Any) -> ErrorRow:
    return ErrorRow(str(row["code"]), int(row["http"]), str(row["businessCode"]), tuple(map(str, row["metadata"])))


def _read_method(document: Any, policies: list[dict[str, str]]) -> Method:
    needs, *names = document.get("access", ["nothing", [], [], []])
    if needs not in _NEEDS:
        raise ValueError(needs)
    any_scope, all_scopes, any_role = (frozenset(map(str, one)) for one in names)
    routes = tuple(Route(*map(str, route)) for route in document.get("routes", ()))
    allowed = Access(needs, any_scope, all_scopes, any_role)
    policy = policies[int(document["policy"])]
    return Method(str(document["request"]), str(document["response"]), routes, policy, allowed)
