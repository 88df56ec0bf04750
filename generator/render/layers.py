"""Layers of templates: the project's own over those of its packs over the built-in ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from generator import resources

BUILT_IN = "built-in"
USER = "user"
"""The name of the layer in the project itself."""

HEADER = "header.py.j2"
"""The template of what stands at the top of every managed Python file."""

EXTRA = "extra/"
SHARED = "shared/"
"""Below these a layer has what no other needs to have: files of its own to emit, and templates to import."""

OVERRIDING = ("managed/", "seeded/", "appended/", "runtime/")
"""What a layer has below these overrides what a lower one has at the same path."""

NEXT = "next:"
"""Before a template's name: as the next lower layer has it."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One folder of templates, read; `files` are by path relative to it. `place` is how people are told of it."""

    name: str
    place: str
    files: Mapping[str, bytes]

    def shown(self, name: str) -> str:
        """How people are told of one of its files."""
        return f"{self.place}/{name}"


@cache
def built_in() -> Layer:
    """The layer that comes with the generator."""
    folder = resources.root() / "templates" / "python"
    names = [HEADER, *(f"{path}" for top in OVERRIDING for path in _below(folder, top))]
    return Layer(BUILT_IN, str(folder), {name: (folder / name).read_bytes() for name in names})


def _below(folder: Path, top: str) -> Iterator[str]:
    for path in sorted((folder / top).rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(folder).as_posix()


class Layers:
    """The layers of a project, the topmost first; the last one is built in."""

    __slots__ = ("order",)

    def __init__(self, above: Sequence[Layer]) -> None:
        self.order = (*above, built_in())

    def having(self, name: str, below: Layer | None = None) -> tuple[Layer, ...]:
        """The layers that have the file, topmost first; with `below`, only those under that layer."""
        start = self.order.index(below) + 1 if below else 0
        return tuple(layer for layer in self.order[start:] if name in layer.files)

    def names(self, *tops: str) -> list[str]:
        """The files below these folders in any layer, sorted."""
        return sorted({name for layer in self.order for name in layer.files if name.startswith(tops)})


@cache
def built_in_alone() -> Layers:
    """The layers of a project that has none of its own."""
    return Layers(())
