"""Checks that hold for every section: keys that must be set, and keys that a section's kind has no use for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from generator.document import Path, dotted
from generator.errors import Finding, Place
from generator.spec.fields import Model, fields


def check_keys(value: Model, path: Path, place: Callable[[Path], Place], skip: frozenset[str]) -> Iterator[Finding]:
    """Findings for `value`, a section at `path`, and the sections in it, except those under a key in `skip`."""
    kind = getattr(value, value.discriminator) if value.discriminator else ""
    for key, field in fields(type(value)).items():
        written = field.attribute in value.model_fields_set
        applies = not field.rule.only or kind in field.rule.only
        about = f"with {value.discriminator}: {kind}" if field.rule.only else ""
        if field.rule.needed and applies and not written:
            message = f"{dotted(path)} needs {key} {about}".rstrip()
            yield Finding(place(path), "missing-key", message, _example(field.info.examples, key))
        elif written and not applies:
            hint = f"it belongs to {value.discriminator}: {' or '.join(field.rule.only)}"
            yield Finding(place((*path, key)), "useless-key", f"{dotted((*path, key))} has no effect {about}", hint)
        elif key not in skip:
            inner = getattr(value, field.attribute)
            if field.shape.single and len(inner) == 1:
                inner = inner[0]
            yield from _inside(inner, (*path, key), place, skip)


def _inside(value: object, path: Path, place: Callable[[Path], Place], skip: frozenset[str]) -> Iterator[Finding]:
    if isinstance(value, Model):
        yield from check_keys(value, path, place, skip)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _inside(item, (*path, name), place, skip)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _inside(item, (*path, index), place, skip)


def _example(examples: list[object] | None, key: str) -> str:
    return f"for example {key}: {examples[0]}" if examples else ""
