"""Policies resolved: blocks of several levels merged key by key, checked, each value with the line that set it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from generator.document import Path, Plain, dotted
from generator.errors import InputError, Place
from generator.spec.dependencies import ClientPolicy
from generator.spec.fields import Model, fields
from generator.spec.findings import translate
from generator.spec.layers import BUILT_IN, Layer
from generator.spec.merge import Leaf, Section, as_node, find, insert, merged, origin, plain
from generator.spec.policy import ServerPolicy
from generator.spec.policy_checks import check_policy, derive

# Each derived value is a validation more; there are fewer pairs of values than this.
_MAX_DERIVED = 20

PolicyT = TypeVar("PolicyT", bound=Model)


@dataclass(frozen=True, slots=True)
class Setting:
    """One value of a resolved policy: `path` as in YAML, `value` as one would write it, and who set it.

    `level` is "built-in", "spec", "profile <name>", "service", "method", "dependency" or "dependency method";
    `place` is the line's, None for what is built in. A mechanism turned off has the value False.
    """

    path: str
    value: Plain
    level: str
    place: Place | None


@dataclass(frozen=True, slots=True)
class Resolved(Generic[PolicyT]):
    """A policy and, for each of its values in the order of the reference, where it came from."""

    policy: PolicyT
    settings: tuple[Setting, ...]


def resolve(layers: Sequence[Layer]) -> Resolved[ServerPolicy]:
    """The policy of incoming calls that `layers` make, the weakest first.

    Later layers override key by key; lists replace; a section whose discriminator (`algorithm`, `kind`, `type`)
    changes is replaced; `false` turns a mechanism off. Raises InputError with all findings.
    """
    return _resolve(ServerPolicy, layers)


def resolve_client(layers: Sequence[Layer]) -> Resolved[ClientPolicy]:
    """The policy of calls to a dependency; otherwise as `resolve`."""
    return _resolve(ClientPolicy, layers)


def _resolve(model: type[PolicyT], layers: Sequence[Layer]) -> Resolved[PolicyT]:
    tree = merged(model, layers)
    policy = _validate(model, tree)
    for _ in range(_MAX_DERIVED):
        change = derive(policy, tree)
        if change is None:
            break
        insert(tree, *change)
        policy = _validate(model, tree)
    findings = check_policy(policy, tree)
    if findings:
        raise InputError(sorted(set(findings)))
    return Resolved(policy, tuple(_settings(policy, policy.model_dump(mode="json", by_alias=True), tree, ())))


def _validate(model: type[PolicyT], tree: Section) -> PolicyT:
    try:
        return model.model_validate(plain(tree))
    except ValidationError as error:
        raise InputError(translate(error, model, as_node(tree))) from None


def _tidy(value: Any) -> Plain:
    """`value` as one would write it: 1200, not 1200.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _settings(value: Model, written: dict[str, Any], tree: Section, path: Path) -> Iterator[Setting]:
    for key, field in fields(type(value)).items():
        here, item = (*path, key), getattr(value, field.attribute)
        found = find(tree, here)
        level, place = origin(tree, here) if found is not None else (BUILT_IN, None)
        place = None if level == BUILT_IN else place
        if isinstance(item, Model):
            inner = list(_settings(item, written[key], tree, here))
            if not inner:
                yield Setting(dotted(here), {}, level, place)
            yield from inner
        elif item is not None:
            if not field.rule.only or getattr(value, value.discriminator) in field.rule.only:
                yield Setting(dotted(here), _tidy(written[key]), level, place)
        elif isinstance(found, Leaf) and found.off:
            yield Setting(dotted(here), False, level, place)
