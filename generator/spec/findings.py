"""What pydantic says about a document, in the user's terms: the key, its place, and how to mend it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from generator.document import Mapping, Node, Path, Scalar, Sequence, dotted, find, key_place, value_place
from generator.errors import Finding, did_you_mean, nearest
from generator.spec.codes import error_codes
from generator.spec.fields import Model, Shape, fields

_TYPES = {
    "int_type": "an integer",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "mapping_type": "a mapping of names to settings",
    "dict_type": "a mapping of names to settings",
    "model_type": "a mapping of settings",
    "finite_number": "a finite number",
}
_BOUNDS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def shape_at(model: type[Model], path: Path) -> Shape | None:
    """The shape of the field at `path` under `model`; None where no such field is."""
    shape: Shape | None = Shape("model", model=model)
    for step in path:
        if shape is None:
            return None
        if shape.kind == "list" and not isinstance(step, int):
            shape = shape.item or shape  # the one section that stands without the list
        if shape.model is not None:
            field = fields(shape.model).get(str(step))
            shape = field.shape if field else None
        else:
            shape = shape.item
    return shape


def nulls(model: type[Model], root: Node) -> list[Finding]:
    """A finding for each key without a value: what it would mean can only be guessed."""
    return [
        Finding(place, "no-value", f"{dotted(path)} has no value", _null_hint(shape_at(model, path)))
        for path, place in _empty(root, ())
        if not _free(model, path)
    ]


def _empty(node: Node, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(node, Mapping):
        for key, entry in node.entries.items():
            if isinstance(entry.node, Scalar) and entry.node.value is None:
                yield (*path, key), entry.place
            else:
                yield from _empty(entry.node, (*path, key))
    elif isinstance(node, Sequence):
        for index, item in enumerate(node.items):
            if isinstance(item, Scalar) and item.value is None:
                yield (*path, index), item.place
            else:
                yield from _empty(item, (*path, index))


def _free(model: type[Model], path: Path) -> bool:
    """Whether `path` is in, or is, a value that may be anything, or an unknown key, which has its own finding."""
    for length in range(1, len(path) + 1):
        shape = shape_at(model, path[:length])
        if shape is None or shape.label == "any value":
            return True
    return False


def _null_hint(shape: Shape | None) -> str:
    if shape is not None and shape.switch:
        return "write {} for the defaults, false to turn it off, or remove the key"
    if shape is not None and shape.kind in ("model", "map"):
        return "write {} for the defaults, or remove the key"
    return "write a value, or remove the key"


def translate(error: ValidationError, model: type[Model], root: Node) -> list[Finding]:
    """A finding for each of pydantic's complaints about `root` read as `model`, except those about null."""
    return sorted(
        {
            _finding(detail, model, root)
            for detail in error.errors(include_url=False)
            if (detail["input"] is not None or detail["type"] == "extra_forbidden") and not _follows(detail)
        }
    )


def _follows(detail: ErrorDetails) -> bool:
    """Whether a list is only too short because of its items that are wrong, which are told themselves."""
    given = detail["input"]
    return detail["type"] == "too_short" and isinstance(given, list) and len(given) >= detail["ctx"]["min_length"]


def _finding(detail: ErrorDetails, model: type[Model], root: Node) -> Finding:
    path = _path(detail["loc"], root)
    kind = detail["type"]
    if kind == "extra_forbidden":
        return _unknown_key(path, model, root)
    about_key = "[key]" in detail["loc"]
    place = key_place(root, path) if about_key else value_place(root, path)
    around = shape_at(model, path[:-1]) if about_key else None
    shape = around.names if around else shape_at(model, path)
    rule_id, problem, hint = _problem(detail, shape)
    subject = f"the name {dotted(path)}" if about_key else dotted(path) or "the document"
    return Finding(place, rule_id, f"{subject}: {problem}", hint)


def _path(loc: tuple[int | str, ...], root: Node) -> Path:
    """`loc` without what pydantic adds of its own: every step is one of the document."""
    path: Path = ()
    for step in loc:
        if find(root, (*path, step)) is not None:
            path = (*path, step)
    return path


def _unknown_key(path: Path, model: type[Model], root: Node) -> Finding:
    *section, key = path
    shape = shape_at(model, tuple(section))
    known = list(fields(shape.model)) if shape and shape.model else []
    hint = did_you_mean(str(key), known)
    home = _home(str(key), model) if nearest(str(key), known) is None else ""
    if home:
        hint = f"'{key}' stands under {home}"
    return Finding(key_place(root, path), "unknown-key", f"unknown key {dotted(path)}", hint)


def _home(key: str, model: type[Model]) -> str:
    """The section of the whole spec in which `key` is valid, when there is just one; "" otherwise."""
    homes: list[str] = []

    def visit(model: type[Model], path: str, depth: int) -> None:
        for name, field in fields(model).items():
            if name == key:
                homes.append(path)
            if field.shape.kind == "model" and field.shape.model and depth < 4:
                visit(field.shape.model, f"{path}.{name}" if path else name, depth + 1)

    visit(model, "", 0)
    return homes[0] if len(homes) == 1 else ""


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text '{value if len(value) <= 60 else value[:57] + '…'}'"
    return "a list" if isinstance(value, list) else "a mapping"


def _problem(detail: ErrorDetails, shape: Shape | None) -> tuple[str, str, str]:
    """The finding's id, what is wrong, and the hint."""
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind in _TYPES:
        return "wrong-type", f"expected {_TYPES[kind]}, found {_shown(given)}", _type_hint(kind, given)
    if kind == "literal_error":
        choices = re.findall("'([^']*)'", str(context["expected"]))
        close = nearest(str(given), choices) if isinstance(given, str) else None
        hint = f"did you mean '{close}'?" if close else ""
        return "wrong-value", f"{_shown(given)} is not one of {', '.join(choices)}", hint
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return "wrong-value", f"{given} must be {words} {_bound(context[name])}", ""
    if kind == "string_pattern_mismatch":
        return "wrong-value", f"{_shown(given)} is not {_one(shape.label if shape else 'valid name')}", _hint_for(shape)
    if kind in ("duration", "size", "window"):
        return "wrong-unit", str(context["problem"]), _hint_for(shape)
    if kind == "status_code":
        return "wrong-value", f"{_shown(given)} {context['problem']}", did_you_mean(str(given), error_codes())
    if kind == "too_short":
        return "wrong-value", "is empty: one at least is needed", ""
    if "problem" in context:
        return "wrong-value", str(context["problem"]), ""
    message = detail["msg"]
    return "wrong-value", message[0].lower() + message[1:], ""


def _bound(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and value < 1 << 53 else f"{value:g}"


def _one(label: str) -> str:
    return f"{'an' if label[0] in 'aeiou' else 'a'} {label}"


def _type_hint(kind: str, given: object) -> str:
    text = given if isinstance(given, str) else ""
    if kind == "bool_type" and text.lower() in ("yes", "no", "on", "off", "y", "n", "true", "false"):
        return f"write {'true' if text.lower() in ('yes', 'on', 'y', 'true') else 'false'}"
    if kind == "string_type" and isinstance(given, bool | int | float):
        return f'quote it: "{str(given).lower() if isinstance(given, bool) else given}"'
    if kind in ("int_type", "float_type"):
        return _number_hint(given)
    if kind == "tuple_type" and isinstance(given, str | int | float):
        return f"write a list: [{given}]"
    return ""


def _number_hint(given: object) -> str:
    if isinstance(given, float) and given.is_integer() and abs(given) < 1e15:
        return f"write {int(given)}"
    text = given if isinstance(given, str) else ""
    if re.fullmatch(r"[0-9]{1,3}([_,][0-9]{3})+", text):
        return f"write {re.sub('[_,]', '', text)}"
    if re.fullmatch(r"0[0-9]+", text):
        return f"a leading zero means octal to some readers of YAML: write {int(text)}"
    if re.fullmatch(r"0[xXoOb][0-9a-fA-F_]+", text):
        return "write the number in decimal"
    if re.fullmatch(r"[0-9]+(:[0-9]+)+", text):
        return "this is a number in base 60 to some readers of YAML: write a plain number"
    if re.fullmatch(r"[0-9.]+ *%", text):
        return f"write {text.rstrip('% ')}"
    if re.fullmatch(r"[0-9.]+", text):
        return f"remove the quotes: {text}"
    return ""


def _hint_for(shape: Shape | None) -> str:
    return shape.hint if shape is not None else ""
