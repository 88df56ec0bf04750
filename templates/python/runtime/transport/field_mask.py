"""The update mask that a PATCH leaves out: the fields that its body has (AIP-134)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

PathsOf = Callable[[Any], Iterator[str]]
"""Generated code of a message: a JSON object of it to the paths of the fields that it sets, by their proto names."""


def complete(mask: Any, body: object, paths_of: PathsOf) -> None:
    """Fill a FieldMask that the request leaves empty, sorted."""
    if isinstance(body, dict) and not mask.paths and (paths := sorted(paths_of(body))):
        mask.paths.extend(paths)


def below(name: str, value: object, paths_of: PathsOf) -> Iterator[str]:
    """The paths of a message in the message: those of its members, its own where it has none."""
    if isinstance(value, dict) and value:
        for path in paths_of(value):
            yield f"{name}.{path}"
    else:
        yield name
