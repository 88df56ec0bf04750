"""The field tables of docs/spec.md, written from the models."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from generator.spec.dependencies import ClientPolicy
from generator.spec.fields import KeyField, Model, Shape, fields
from generator.spec.layers import built_in
from generator.spec.model import ResilienceSpec
from generator.spec.policy import ServerPolicy
from generator.spec.support import NOT_YET

BEGIN = "<!-- fields: written by `python -m generator.spec.schema --docs` -->"
END = "<!-- end of fields -->"

_POLICIES: tuple[type[Model], ...] = (ServerPolicy, ClientPolicy)
_TITLES = {ResilienceSpec: "The document", ServerPolicy: "The policy block", ClientPolicy: "The client policy block"}


@dataclass(frozen=True, slots=True)
class _Section:
    """A part of the spec: `path` from the document, or from the policy block it belongs to."""

    path: str
    model: type[Model]
    policy: type[Model] | None

    @property
    def title(self) -> str:
        suffix = ", for a dependency" if self.policy is ClientPolicy else ""
        return _TITLES.get(self.model, f"`{self.path}`{suffix}")

    @property
    def link(self) -> str:
        """The heading's anchor, as GitHub makes it."""
        return "#" + re.sub(r"[^\w -]", "", self.title.lower()).replace(" ", "-")


def update(page: str) -> str:
    """`page` with its field tables brought up to date; ValueError when it has no place for them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n\n{tables()}\n{END}{after}"


def tables() -> str:
    """A section for each part of the spec, with a table of its keys."""
    sections = _sections()
    return "\n".join(_table(section, sections) for section in sections.values())


def _sections() -> dict[type[Model], _Section]:
    """Every section once, where it stands first; mechanisms under the policy block they belong to."""
    found: dict[type[Model], _Section] = {}

    def visit(model: type[Model], path: str, policy: type[Model] | None) -> None:
        if model in found:
            return
        found[model] = _Section(path, model, policy)
        if (base := _policy_of(model)) is not None:
            visit(base, "", base)
        for field in _own_fields(model):
            shape, inner = field.shape, f"{path}.{field.key}" if path else field.key
            while shape.model is None and shape.item is not None:
                inner += ".<name>" if shape.kind == "map" else "[]"
                shape = shape.item
            if shape.model is not None:
                visit(shape.model, inner, policy)

    visit(ResilienceSpec, "", None)
    return found


def _policy_of(model: type[Model]) -> type[Model] | None:
    """The policy block whose keys `model` has beside its own."""
    return next((policy for policy in _POLICIES if issubclass(model, policy) and model is not policy), None)


def _own_fields(model: type[Model]) -> Iterator[KeyField]:
    """The fields of `model` without those it has from a policy block."""
    base = _policy_of(model)
    inherited = fields(base) if base else {}
    yield from (field for key, field in fields(model).items() if key not in inherited)


def _table(section: _Section, sections: dict[type[Model], _Section]) -> str:
    lines = [f"### {section.title}", "", _prose((section.model.__doc__ or "").strip())]
    if (base := _policy_of(section.model)) is not None:
        lines += ["", f"Every key of [{sections[base].title.lower()}]({sections[base].link}), and:"]
    lines += ["", "| key | type | default | what it does | example | supported |", "|---|---|---|---|---|---|"]
    lines += [_row(section, field, sections) for field in _own_fields(section.model)]
    return "\n".join([*lines, ""])


def _prose(sentence: str) -> str:
    return sentence.replace("<", "&lt;")


def _row(section: _Section, field: KeyField, sections: dict[type[Model], _Section]) -> str:
    extra = field.info.json_schema_extra if isinstance(field.info.json_schema_extra, dict) else {}
    kind = _type(field.shape, sections)
    if unit := extra.get("x-unit"):
        kind += f", in {unit}"
    sentence = _prose(field.info.description or "")
    if field.rule.only:
        sentence += f" Only with `{section.model.discriminator}: {'` or `'.join(field.rule.only)}`."
    example = field.info.examples[0] if field.info.examples else None
    shown = "" if example is None else f"`{_yaml(example)}`"
    cells = [f"`{field.key}`", kind, _default(section.model, field), sentence, shown, _supported(section, field)]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _type(shape: Shape, sections: dict[type[Model], _Section]) -> str:
    if shape.choices:
        text = ", ".join(f"`{choice}`" for choice in shape.choices)
    elif shape.kind == "list" and shape.item is not None:
        item = _type(shape.item, sections)
        text = f"{item}, or list of them" if shape.single else f"list of {item}"
    elif shape.kind == "map" and shape.item is not None:
        text = f"{shape.names.label if shape.names else 'name'} → {_type(shape.item, sections)}"
    else:
        text = f"[section]({sections[shape.model].link})" if shape.model is not None else shape.label
    return f"{text}, or `false`" if shape.switch else text


def _default(model: type[Model], field: KeyField) -> str:
    if field.rule.needed:
        return "must be set"
    if model is ServerPolicy and field.key in built_in().block.entries and field.shape.switch:
        return "on"
    if field.shape.kind in ("model", "map") or field.info.default_factory is not None:
        on = "on" if field.info.default_factory is not None else "off"
        return on if field.shape.switch else ""
    value = model.model_construct().model_dump(mode="json", by_alias=True, warnings=False)[field.key]
    return "" if value is None or value == "" else f"`{_yaml(value)}`"


def _yaml(value: object) -> str:
    """`value` on one line, as one would write it in YAML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_yaml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_./<>-]+(?:[:/]+[A-Za-z0-9_./-]+)*", value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _supported(section: _Section, field: KeyField) -> str:
    """Whether there is code behind the key yet, or for which of its values."""
    path = f"{section.path}.{field.key}" if section.path else field.key
    names = [] if section.policy else [_named(row.path) for row in NOT_YET]
    supported = not any(path == name or path.startswith((f"{name}.", f"{name}[")) for name in names)
    return "yes" if supported else "not yet"


def _named(path: str) -> str:
    return path.replace("*", "<name>")
