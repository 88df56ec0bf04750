"""The Jinja environment of the templates: layered, strict, unescaped, with filters that make untrusted text safe."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from jinja2 import BaseLoader, Environment, StrictUndefined, TemplateNotFound

from generator.render import imports, layout, python
from generator.render.compiled import CompiledTemplates
from generator.render.layers import NEXT, Layer, Layers


def _cell(text: str) -> str:
    """Text for a Markdown table's cell: one line, no markup and no column of its own."""
    shown = python.comment(text)
    for mark in "\\`*_[]<>|":
        shown = shown.replace(mark, f"\\{mark}" if mark != "<" else "&lt;")
    return shown


def _organised(text: str, first_party: str = "") -> str:
    """Import statements in isort's order, on lines of their own."""
    return f"{imports.organised(text, first_party)}\n"


class _Loader(BaseLoader):
    """Finds `NAME` in the topmost layer that has it, `N:NAME` in the layer of that number."""

    def __init__(self, layers: Layers) -> None:
        self._layers = layers

    def find(self, qualified: str) -> tuple[Layer, str] | None:
        """The layer and the template's own name; None where there is none."""
        number, colon, name = qualified.rpartition(":")
        if colon:
            layer = self._layers.order[int(number)] if number.isdecimal() else None
            return (layer, name) if layer is not None and name in layer.files else None
        found = self._layers.having(name)
        return (found[0], name) if found else None

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        found = self.find(template)
        if found is None:
            raise TemplateNotFound(template)
        layer, name = found
        return layer.files[name].decode(), layer.shown(name), lambda: True

    def list_templates(self) -> list[str]:
        return self._layers.names("")


class LayeredEnvironment(Environment):
    """An environment in which `next:NAME` is the template in the next layer below the one that says so."""

    def __init__(self, layers: Layers) -> None:
        self._layers = layers
        self._finder = _Loader(layers)
        super().__init__(
            loader=self._finder,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            bytecode_cache=CompiledTemplates(),
            autoescape=False,  # Python and Markdown come out, not HTML; the filters below escape
        )
        self.filters.update(
            literal=python.literal,
            laid_out=layout.laid_out,
            comment=python.comment,
            cell=_cell,
            organised=_organised,
        )

    def join_path(self, template: str, parent: str) -> str:
        """The qualified name of what the template `parent` means by `template`; as it is, where there is none."""
        name = template.removeprefix(NEXT)
        origin = self._finder.find(parent) if name != template else None
        found = self._layers.having(name, below=origin[0] if origin else None)
        return self.qualified(found[0], name) if found else template

    def find(self, qualified: str) -> tuple[Layer, str] | None:
        """The layer and the own name of the template that a qualified name stands for; None where there is none."""
        return self._finder.find(qualified)

    def qualified(self, layer: Layer, name: str) -> str:
        """The name by which `get_template` finds the file in that very layer."""
        return f"{self._layers.order.index(layer)}:{name}"


@lru_cache(maxsize=4)
def environment(layers: Layers) -> LayeredEnvironment:
    """The environment over the layers, with what it has compiled already."""
    return LayeredEnvironment(layers)
