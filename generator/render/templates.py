"""Fills the templates of a project's layers, and makes of each an emitted file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from jinja2 import TemplateError, TemplateNotFound, TemplateSyntaxError

from generator.errors import InputError, Place
from generator.render import formatting
from generator.render.emit import Emit, Owner
from generator.render.environment import environment
from generator.render.layers import BUILT_IN, HEADER, Layer, Layers
from generator.render.overrides import check

_HEADED = frozenset({".py", ".pyi"})


class Templates:
    """The templates of the layers, to be filled with what every template sees (`shared`) and what each one has.

    Raises InputError where the layers are not in order.
    """

    def __init__(self, layers: Layers, shared: Mapping[str, object]) -> None:
        check(layers)
        self._layers = layers
        self._environment = environment(layers)
        self._shared = shared
        self._headers: dict[str, bytes] = {}  # as black has them

    def file(self, path: str, owner: Owner, name: str, context: Mapping[str, object], header: str = "") -> Emit:
        """The file that the template `name` makes: rendered, or copied where its name does not end in `.j2`.

        `header` is the comment at the top of a managed file, "" for none. Raises InputError where a template that is
        not built in fails.
        """
        layer = self._layers.having(name)[0]
        content = layer.files[name]
        if name.endswith(".j2"):
            content = self._rendered(layer, name, {"path": path, **context}).encode()
        emit = Emit(path, owner, content, name, layer.name)
        return self.headed(emit, header) if owner is Owner.MANAGED else emit

    def headed(self, emit: Emit, header: str = "") -> Emit:
        """The managed file with its header, where it is Python."""
        if Path(emit.path).suffix not in _HEADED:
            return emit
        layer = self._layers.having(HEADER)[0]
        text = self._rendered(layer, HEADER, {"path": emit.path, "header": header})
        if text not in self._headers:
            self._headers[text] = (text if layer.name == BUILT_IN else _comments(layer, text)).encode()
        return replace(emit, content=self._headers[text] + emit.content)

    def below(self, top: str) -> Iterator[str]:
        """The names of the files that any layer has below a folder."""
        yield from self._layers.names(top)

    def place(self, name: str) -> Place:
        """Where the topmost layer has the file."""
        return Place(self._layers.having(name)[0].shown(name))

    def formatted(self, emit: Emit) -> bytes:
        """The content as the formatter of its kind lays it out. Raises InputError where it cannot be parsed."""
        try:
            return formatting.BY_SUFFIX[Path(emit.path).suffix](emit.content.decode()).encode()
        except ValueError as error:
            layer = self._layers.having(emit.template)[0]
            if layer.name == BUILT_IN:
                raise
            message = f"{emit.path} would be no Python: {' '.join(str(error.__cause__ or error).split())}"
            raise InputError.one(Place(layer.shown(emit.template)), "template-error", message) from None

    def _rendered(self, layer: Layer, name: str, context: Mapping[str, object]) -> str:
        template = self._environment.get_template(self._environment.qualified(layer, name))
        try:
            return template.render(self._shared, **context)
        except Exception as error:
            place = self._place(error)
            if place is None:
                raise  # a bug of ours
            raise InputError.one(place, "template-error", _message(error)) from None

    def _place(self, error: Exception) -> Place | None:
        """The line that the error comes from, of the template of ours or of a pack's that is nearest to it."""
        files = {layer.shown(name) for layer in self._layers.order if layer.name != BUILT_IN for name in layer.files}
        if isinstance(error, TemplateSyntaxError) and error.filename in files:
            return Place(error.filename, error.lineno)
        lines = [(frame, line) for frame, line in _frames(error.__traceback__) if frame in files]
        return Place(*lines[-1]) if lines else None


def _frames(traceback: TracebackType | None) -> Iterator[tuple[str, int]]:
    """The files and lines that an exception came through; Jinja puts the templates' own among them."""
    while traceback is not None:
        yield traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
        traceback = traceback.tb_next


def _message(error: Exception) -> str:
    if isinstance(error, TemplateNotFound):
        return f'there is no template "{error.name}"'
    if isinstance(error, TemplateError):
        return str(error.message)
    return f"{type(error).__name__}: {error}"


def _comments(layer: Layer, text: str) -> str:
    """A header as black would leave it. Raises InputError where it is more than comments."""
    lines = [line.rstrip() for line in text.strip("\n").split("\n")]
    wrong = [line for line in lines if line and not line.startswith("#")]
    if wrong:
        message = f'a header is made of comments, and "{wrong[0]}" is none'
        raise InputError.one(Place(layer.shown(HEADER)), "template-error", message)
    return formatting.python("\n".join([*lines, ""])) if any(lines) else ""
