"""Holds the layers above the built-in one to what lies below them: an override of nothing is an error."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

from jinja2 import TemplateSyntaxError, nodes

from generator.errors import Finding, InputError, Place, did_you_mean
from generator.render.environment import LayeredEnvironment, environment
from generator.render.layers import EXTRA, HEADER, NEXT, OVERRIDING, SHARED, Layer, Layers, built_in_alone

PLACEHOLDERS = ("package", "service", "dependency")
"""What may stand in braces in the path of an extra file."""

_BRACES = re.compile(r"\{([^{}]*)\}")
_TAG = re.compile(r"\{%[-+]?\s*(?:block\s+(?P<name>\w+)|(?P<end>endblock))[^%]*[-+]?%\}", re.ASCII)
_HIDDEN = re.compile(r"\{#.*?#\}|\{%[-+]?\s*raw\s*[-+]?%\}.*?\{%[-+]?\s*endraw\s*[-+]?%\}", re.DOTALL)


def check(layers: Layers) -> None:
    """Raises InputError with everything that is wrong with the layers above the built-in one.

    An override of a file or a block that no lower layer has, text that no block holds, a template or a module that
    cannot be parsed, a path that is none.
    """
    made = environment(layers)
    findings = [
        finding
        for layer in layers.order[:-1]
        for name in sorted(layer.files)
        for finding in _findings(layers, made, layer, name)
    ]
    if findings:
        raise InputError(findings)


def _findings(layers: Layers, made: LayeredEnvironment, layer: Layer, name: str) -> Iterator[Finding]:
    place = Place(layer.shown(name))
    if name == HEADER or name.startswith(OVERRIDING):
        if not layers.having(name, below=layer):
            yield Finding(
                place, "nothing-to-override", f'no layer below has a template "{name}"', _instead(layers, name)
            )
            return
    elif name.startswith(EXTRA):
        yield from _misplaced(place, name)
    elif not name.startswith(SHARED):
        hint = f"templates are below {', '.join((*OVERRIDING, EXTRA, SHARED))} or are {HEADER}"
        yield Finding(place, "unknown-template", f'"{name}" is not where a template could be', hint)
        return
    try:
        text = layer.files[name].decode()
    except UnicodeDecodeError as error:
        if name.endswith((".j2", ".py")):
            yield Finding(place, "template-error", f"it is not UTF-8: {error.reason}")
        return
    if name.endswith(".j2"):
        yield from _template_findings(layers, made, layer, name, text)
    elif name.endswith(".py"):
        yield from _module_findings(place, text)


def _instead(layers: Layers, name: str) -> str:
    known = did_you_mean(name, layers.names(*OVERRIDING, HEADER))
    return known if known.startswith("did") else f"what no other layer has goes below {EXTRA}"


def _misplaced(place: Place, name: str) -> Iterator[Finding]:
    """What is wrong with the path of an extra file."""
    known = {f"{{{word}}}" for word in PLACEHOLDERS}
    for found in _BRACES.finditer(name):
        if found[0] not in known:
            message = f"{found[0]} stands for nothing in a path"
            yield Finding(place, "unknown-template", message, f"known: {', '.join(sorted(known))}")


def _module_findings(place: Place, text: str) -> Iterator[Finding]:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError) as error:
        line, column = (error.lineno, error.offset) if isinstance(error, SyntaxError) else (0, 0)
        where = Place(place.file, line or 0, column or 0)
        yield Finding(where, "template-error", f"it is no Python: {getattr(error, 'msg', error)}")


def _template_findings(
    layers: Layers, made: LayeredEnvironment, layer: Layer, name: str, text: str
) -> Iterator[Finding]:
    file = layer.shown(name)
    try:
        parsed = made.parse(text, name, file)
        made.compile(parsed, name, file, raw=True)  # which also knows of filters, and of blocks that stand twice
    except TemplateSyntaxError as error:
        yield Finding(Place(file, error.lineno), "template-error", str(error.message))
        return
    extended = parsed.find(nodes.Extends)
    if extended is None:
        return
    above = _constant(extended.template)
    place = Place(file, extended.lineno)
    if above is None:
        yield Finding(place, "template-error", "what it extends must be a text", f'write "{NEXT}{name}"')
        return
    if above == name:
        yield Finding(place, "template-error", "it extends itself", f'write "{NEXT}{name}"')
        return
    parent = made.join_path(above, made.qualified(layer, name))
    try:
        known = _blocks(made, parent, frozenset({made.qualified(layer, name)}))
    except _UnresolvedError as error:
        hint = _instead(layers, above.removeprefix(NEXT))
        yield Finding(place, "nothing-to-override", f'there is no template "{error}" to extend', hint)
        return
    for node in parsed.body:
        yield from _overridden(node, file, known)


def _overridden(node: nodes.Node, file: str, known: Mapping[str, int]) -> Iterator[Finding]:
    """What is wrong with a node at the top of a template that extends another."""
    if isinstance(node, nodes.Block):
        if node.name not in known:
            message = f'no layer below has a block "{node.name}" here'
            yield Finding(Place(file, node.lineno), "nothing-to-override", message, did_you_mean(node.name, known))
    elif isinstance(node, nodes.Output):
        texts = [part for part in node.nodes if not isinstance(part, nodes.TemplateData) or part.data.strip()]
        if texts:
            message = "what stands outside blocks is not printed, for the template extends another"
            yield Finding(Place(file, _line(texts[0])), "template-error", message, "put it into a block")


def _line(node: nodes.Node) -> int:
    """Where the text of a node begins: Jinja has the line of the first character, be it an empty line."""
    blank = node.data[: len(node.data) - len(node.data.lstrip())] if isinstance(node, nodes.TemplateData) else ""
    return node.lineno + blank.count("\n")


class _UnresolvedError(Exception):
    """A template extends one that is not there."""


def _blocks(made: LayeredEnvironment, qualified: str, seen: frozenset[str]) -> Mapping[str, int]:
    """The blocks that a template has or inherits, with their lines."""
    found = made.find(qualified)
    if found is None or qualified in seen:
        raise _UnresolvedError(qualified.removeprefix(NEXT))
    layer, name = found
    parsed = made.parse(layer.files[name].decode(errors="replace"))
    own = {block.name: block.lineno for block in parsed.find_all(nodes.Block)}
    extended = parsed.find(nodes.Extends)
    above = _constant(extended.template) if extended else None
    if above is None:
        return own
    parent = made.join_path(above, qualified)
    return {**_blocks(made, parent, seen | {qualified}), **own}


def _constant(node: nodes.Expr) -> str | None:
    return node.value if isinstance(node, nodes.Const) and isinstance(node.value, str) else None


def block_names(layers: Layers, name: str) -> tuple[str, ...]:
    """The blocks of a template, in the order of the lowest layer's text."""
    made = environment(layers)
    qualified = made.qualified(layers.having(name)[0], name)
    return tuple(_blocks(made, qualified, frozenset()))


def block_text(source: str, block: str) -> str | None:
    """The source of a block with its tags, None where the template has no such block."""
    shown = _HIDDEN.sub(lambda found: " " * len(found[0]), source)
    depth, start = 0, -1
    for tag in _TAG.finditer(shown):
        if tag["name"] == block and start < 0:
            depth, start = 0, tag.start()
        if start < 0:
            continue
        depth += 1 if tag["name"] else -1 if tag["end"] else 0
        if depth == 0:
            return source[start : tag.end()]
    return None


def overridden_blocks(source: str) -> tuple[str, ...] | None:
    """The blocks that a template changes of the one that it extends; None where it extends none."""
    parsed = environment(built_in_alone()).parse(source)
    if parsed.find(nodes.Extends) is None:
        return None
    return tuple(node.name for node in parsed.body if isinstance(node, nodes.Block))
