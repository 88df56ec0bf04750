"""What templates see, as the tables of docs/templates.md: `python -m generator.render.reference` writes them."""

from __future__ import annotations

import dataclasses
import inspect
import re
import tokenize
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO

from jinja2 import meta, nodes
from jinja2.visitor import NodeTransformer

from generator import resources
from generator.render.access_tests import AccessView
from generator.render.bindings import BindingsView
from generator.render.clients import ClientView
from generator.render.codecs import ModuleView
from generator.render.emit import Import, Stub
from generator.render.environment import environment
from generator.render.errors import ErrorView
from generator.render.layers import built_in, built_in_alone
from generator.render.peer_errors import PeerErrorsView
from generator.render.python import Construct, Expression
from generator.render.routes import RouteView
from generator.render.services import MethodView, ServiceView
from generator.spec.codes import CanonicalCode

BEGIN = "<!-- context: written by `python -m generator.render.reference` -->"
END = "<!-- end of context -->"

VARIABLES: Mapping[str, tuple[object, str]] = types.MappingProxyType(
    {
        "access": (AccessView, "what there is to test of who may call what"),
        "binding_modules": (Mapping[str, str], "the module of each service's requests, relative to `gen/bindings`"),
        "bindings": (BindingsView, "the service whose routes' requests the file makes"),
        "canonical": (tuple[CanonicalCode, ...], "the canonical gRPC codes"),
        "chains": (
            Mapping[tuple[str, ...], tuple[str, ...]],
            "the stages of each chain that there is, and the paths of the RPCs that have it",
        ),
        "checked": (
            bool,
            "whether rules of the contract are checked that a sample of the first RPC's request may break",
        ),
        "client": (ClientView, "the dependency that the file is about"),
        "client_imports": (str, "the import block of `gen/clients/__init__.py`"),
        "clients": (tuple[ClientView, ...], "every dependency that is called, in spec order"),
        "code": (str, "the gRPC code that the service's first RPC answers as long as it is a stub"),
        "connect_timeouts": (bool, "whether calls to dependencies wait for connections"),
        "domain": (str, "the domain of the service's errors"),
        "by_reason": (Mapping[str, Expression], "the rows' own `row`s by reason"),
        "by_code": (Mapping[str, Expression], "those of bare codes, by code"),
        "encrypted": (bool, "whether connections to dependencies are"),
        "errors": (PeerErrorsView, "the dependency's errors"),
        "exported": (tuple[str, ...], "the names that the module exports, as `__all__` has them"),
        "first": (MethodView, "the service's first RPC that somebody may call"),
        "fallback_bases": (tuple[Expression, ...], "the bases of what calls to dependencies fall back on"),
        "fallbacks": (Sequence[Expression], "how each object is made that calls to dependencies fall back on"),
        "handlers": (Sequence[Expression], "how each handler is made"),
        "hash": (str, "of all that the policies say"),
        "header": (str, "the comment that says what the file was generated from; empty for what is copied or has none"),
        "index": (Mapping[str, str], "the module of each message's JSON codec, relative to `gen/codecs`"),
        "methods": (Mapping[str, Construct], "each method's policy, by its gRPC path"),
        "module": (ModuleView, "the .proto file whose messages' codecs the file has"),
        "module_imports": (str, "the import line of the service modules that the file names"),
        "mutual": (bool, "whether clients are asked for certificates"),
        "name": (str, "the project's name"),
        "names": (tuple[str, ...], "the classes of `runtime/snapshot` that the policies use"),
        "package": (str, "the project's Python package"),
        "path": (str, "of the emitted file, relative to the project"),
        "redacted": (bool, "whether the text of what no row maps is withheld"),
        "required": (bool, "whether requests have required fields that are checked"),
        "routes": (tuple[RouteView, ...], "every route that is served, in contract order"),
        "rows": (tuple[ErrorView, ...], "the error table, in spec order"),
        "rules": (bool, "whether requests have rules of buf.validate that are checked"),
        "sections": (Mapping[str, object], "the rest of the policies: server, lifecycle, observability, …"),
        "service": (ServiceView, "the service that the file is about"),
        "services": (tuple[ServiceView, ...], "every service, in contract order"),
        "shape": (str, "the REST error body, in words"),
        "stub_imports": (str, "the import block of `fallbacks.py`"),
        "unnamed": (tuple[str, ...], "the modules of messages that no RPC leads to, relative to `gen/codecs`"),
        "unmapped": (str, "the gRPC code of what no row maps"),
    }
)
"""Type and meaning of every variable, whichever template reads it."""

EVERYWHERE = frozenset({"clients", "domain", "name", "package", "path", "routes", "rows", "services"})
"""The variables that every template sees."""


def update(page: str) -> str:
    """`page` with its tables brought up to date; ValueError when it has no place for them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n\n{tables()}\n{END}{after}"


def read_by_templates() -> Mapping[str, Sequence[str]]:
    """The variables that each built-in template reads, by the template's path."""
    return {name: _variables(_parsed(name)) for name in _templates()}


def tables() -> str:
    """The templates with their variables and blocks, the variables with their types, and each type with its fields."""
    everywhere = ", ".join(f"`{name}`" for name in sorted(EVERYWHERE))
    parts = [f"Every template sees {everywhere}; besides:\n"]
    parts.append(_table(("template", "sees"), _template_rows()))
    parts.append("### Blocks\n")
    parts.append(_table(("template", "blocks, from top to bottom"), _block_rows()))
    parts.append("### Variables\n")
    rows = ((f"`{name}`", _shown(kind), what) for name, (kind, what) in VARIABLES.items())
    parts.append(_table(("variable", "type", "what it is"), rows))
    for view in _views():
        summary = _summary(view)
        parts += [f"### `{view.__name__}`\n", *([f"{summary}\n"] if summary else [])]
        parts.append(_table(("field", "type", "note"), _fields(view)))
    return "\n".join(parts)


def _templates() -> Sequence[str]:
    return sorted(name for name in built_in().files if name.endswith(".j2"))


def _parsed(name: str) -> nodes.Template:
    return environment(built_in_alone()).parse(built_in().files[name].decode())


def _template_rows() -> Iterator[tuple[str, str]]:
    for name, variables in read_by_templates().items():
        own = [f"`{variable}`" for variable in variables if variable not in EVERYWHERE]
        if own:
            yield f"`{name}`", ", ".join(own)


def _block_rows() -> Iterator[tuple[str, str]]:
    for name in _templates():
        functions = set(re.findall(r"^(?:async )?def (\w+)\(", built_in().files[name].decode(), re.MULTILINE))
        blocks = [block.name for block in _parsed(name).find_all(nodes.Block)]
        shown = [f"`{block}`" for block in blocks if block not in functions]
        if name.startswith("managed/tests/"):
            yield f"`{name}`", ", ".join([*shown, "each function by its name"])
        else:
            yield f"`{name}`", ", ".join(f"`{block}`" for block in blocks)


def _variables(parsed: nodes.Template) -> Sequence[str]:
    # With its blocks opened, so that a variable of a loop is not taken for one of the context.
    return sorted(meta.find_undeclared_variables(_Opened().visit(parsed)))


class _Opened(NodeTransformer):
    """Puts the content of a block in the block's place."""

    def visit_Block(self, node: nodes.Block) -> list[nodes.Node]:  # noqa: N802 - Jinja names it by the node
        self.generic_visit(node)
        return node.body


def _views() -> Sequence[type]:
    """The dataclasses that the variables are made of, each after the one that first mentions it."""
    found: dict[type, None] = {}

    def visit(kind: object) -> None:
        for inner in typing.get_args(kind):
            visit(inner)
        if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind not in found:
            found[kind] = None
            for hint in typing.get_type_hints(kind, _namespace(kind)).values():
                visit(hint)

    for kind, _ in VARIABLES.values():
        visit(kind)
    return tuple(found)


def _namespace(kind: type) -> dict[str, object]:
    return {**vars(inspect.getmodule(kind)), "Import": Import, "Stub": Stub}


def _summary(view: type) -> str:
    """The class's docstring, joined to one paragraph; "" where it has only the one that dataclasses make."""
    text = " ".join(inspect.cleandoc(view.__doc__ or "").split())
    return "" if text.startswith(f"{view.__name__}(") else text


def _fields(view: type) -> Iterator[tuple[str, str, str]]:
    notes = _notes(view)
    for field in dataclasses.fields(view):
        yield f"`{field.name}`", _shown(field.type), notes.get(field.name, "")


def _notes(view: type) -> Mapping[str, str]:
    """The comment behind each field, where there is one."""
    notes: dict[str, str] = {}
    name = ""
    for token in tokenize.generate_tokens(StringIO(inspect.cleandoc(inspect.getsource(view))).readline):
        line = re.match(r"\s+(\w+): ", token.line)
        name = line[1] if line else name
        if token.type == tokenize.COMMENT and line:
            notes[name] = token.string.lstrip("# ").replace("<", "&lt;")
    return notes


def _shown(kind: object) -> str:
    """The type as its module writes it."""
    text = kind if isinstance(kind, str) else kind.__name__ if type(kind) is type else str(kind)
    plain = re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Za-z])", "", text)
    return f"`{plain}`"


def _table(header: Sequence[str], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [_row(header), _row(["---"] * len(header)), *(_row(row) for row in rows)]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def main() -> None:
    """Brings docs/templates.md of this checkout up to date."""
    page = resources.root() / "docs" / "templates.md"
    page.write_text(update(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
