"""The language of a text: what a caller's `accept-language` asks for, looked up in what there is."""

from __future__ import annotations

from collections.abc import Iterable

from .metadata import Metadata

_MAX_RANGES = 32  # a longer list is no wish, it is an attack


def preferred_ranges(header: str) -> tuple[str, ...]:
    """The language ranges of an Accept-Language value (RFC 9110, section 12.5.4), lower-case, best first.

    Ranges of equal weight keep their order; weight 0 and what cannot be read are left out.
    """
    weighted: list[tuple[float, str]] = []
    for item in header.split(",", _MAX_RANGES)[:_MAX_RANGES]:
        tag, *parameters = item.split(";")
        weight = _weight(parameters)
        if (name := tag.strip().lower()) and weight > 0 and _is_range(name):
            weighted.append((weight, name))
    weighted.sort(key=lambda pair: -pair[0])
    return tuple(name for _, name in weighted)


def best_language(metadata: Metadata, available: Iterable[str]) -> str:
    """The available tag that serves the caller best, the first one where none does, "" of none.

    RFC 4647, section 3.4 (lookup): each range is shortened from its end until a tag equals it. A range that finds
    none so also takes a more special tag ("zh" takes "zh-CN"), which lookup alone would miss.
    """
    tags = tuple(available)
    if len(tags) < 2:
        return tags[0] if tags else ""
    header = ",".join(value for value in metadata.get_all("accept-language") if isinstance(value, str))
    by_lower = {tag.lower(): tag for tag in tags}
    for wanted in preferred_ranges(header):
        if wanted == "*":
            break
        shortened = wanted
        while shortened:
            if shortened in by_lower:
                return by_lower[shortened]
            shortened = _shorten(shortened)
        for lowered, tag in by_lower.items():
            if lowered.startswith(wanted + "-"):
                return tag
    return tags[0]


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                weight = float(value.strip())
            except ValueError:
                return 0.0
            return weight if 0 <= weight <= 1 else 0.0
    return 1.0


def _is_range(name: str) -> bool:
    return name == "*" or all(part.isascii() and part.isalnum() and len(part) <= 8 for part in name.split("-"))


def _shorten(tag: str) -> str:
    """The tag without its last subtag, and without a single letter that introduced it."""
    head = tag.rpartition("-")[0]
    if len(head) >= 2 and head[-2] == "-":
        head = head[:-2]
    return head
