"""`holdfast templates`: where each file comes from, how to have another, and what changed below what one has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from generator.errors import InputError, Place, did_you_mean
from generator.project import build, deciding, ejecting, upstream
from generator.project.disk import Disk
from generator.project.exclusion import exclusive
from generator.project.packs import OWN
from generator.project.paths import shown
from generator.project.transaction import Write, recover, write
from generator.render.emit import Owner
from generator.render.layers import HEADER, NEXT, USER, Layer, Layers
from generator.render.overrides import block_names, block_text, overridden_blocks

_TARGET = re.compile(r"(?P<file>.+?)(?::(?P<block>\w+))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an emitted file comes from: its template, and the layers that have a part in it, topmost first."""

    path: str
    template: str
    layers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A template's text as one layer has it, or that of one of its blocks; `blocks` are all that it has."""

    template: str
    layer: str
    text: str
    blocks: tuple[str, ...]


class _Project:
    """A project with its layers and its files, computed once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.disk = Disk(folder)
        self.built = build.compute(folder, self.disk, build.read_lock(self.disk))

    @property
    def layers(self) -> Layers:
        return self.built.packs.layers

    def target(self, text: str) -> tuple[str, str]:
        """The template and the block ("" for none) that FILE[:BLOCK] names; FILE is an emitted file or a template.

        Raises InputError where there is none.
        """
        found = _TARGET.fullmatch(text)
        file, block = (found["file"], found["block"] or "") if found else (text, "")
        template = file if self.layers.having(file) else self._template_of(file)
        if block and block not in _blocks(self.layers, template):
            raise _no_block(self.layers, template, block)
        return template, block

    def _template_of(self, file: str) -> str:
        path = deciding.relative(self.folder, file)
        emitted = {emit.path: emit.template for emit in self.built.emits}
        template = emitted.get(path)
        if template is None:
            hint = did_you_mean(path, emitted) or "see `holdfast templates list`"
            raise InputError.one(Place(file), "unknown-path", "nothing generates a file of that name", hint)
        if not self.layers.having(template):
            hint = f"`holdfast eject {path}` makes it yours" if not path.startswith(".holdfast/") else ""
            raise InputError.one(Place(file), "no-template", "no template makes it, so there is none to override", hint)
        return template


def _no_block(layers: Layers, template: str, block: str) -> InputError:
    hint = did_you_mean(block, _blocks(layers, template)) or "a file that is not rendered has no blocks"
    return InputError.one(Place(template), "nothing-to-override", f'it has no block "{block}"', hint)


def _blocks(layers: Layers, template: str) -> tuple[str, ...]:
    return block_names(layers, template) if template.endswith(".j2") else ()


def origins(project: Path) -> list[Origin]:
    """Where each file of the project comes from, and first the header of all of them."""
    found = _Project(project)
    locked = found.built.before.files if found.built.before else {}
    rows = [Origin("*.py", HEADER, tuple(_parts(found.layers, HEADER)))]
    for emit in sorted(found.built.emits, key=lambda emit: emit.path):
        layers = tuple(_parts(found.layers, emit.template)) or (emit.layer,)
        if emit.path in locked and locked[emit.path].owner is Owner.EJECTED:
            layers = (Owner.EJECTED.value,)
        rows.append(Origin(emit.path, emit.template, layers))
    return rows


def _parts(layers: Layers, template: str) -> Iterator[str]:
    """The layers that have a part in what a template prints: down to the first that does not extend the next."""
    for layer in layers.having(template):
        yield layer.name
        if not template.endswith(".j2") or overridden_blocks(layer.files[template].decode()) is None:
            return


def source(project: Path, target: str, layer: str = "") -> Source:
    """The text of a template, as the topmost layer has it or as that one does; of a block, the topmost that has it."""
    found = _Project(project)
    template, block = found.target(target)
    having = found.layers.having(template)
    named = [one for one in having if layer in ("", one.name)]
    if not named:
        hint = did_you_mean(layer, [one.name for one in having])
        raise InputError.one(Place(template), "nothing-to-override", f'there is none in a layer "{layer}"', hint)
    blocks = _blocks(found.layers, template)
    for one in named:
        text = one.files[template].decode(errors="replace")
        part = block_text(text, block) if block else text
        if part is not None:
            return Source(template, one.name, part if part.endswith("\n") else f"{part}\n", blocks)
    raise _no_block(found.layers, template, block)


def override(project: Path, target: str, *, whole: bool = False) -> str:
    """Writes a template of the project's own to start from, which changes nothing yet; returns its path.

    Raises InputError where there is one already, or nothing to override.
    """
    with exclusive(project):
        recover(project)
        found = _Project(project)
        template, block = found.target(target)
        path = f"{OWN}/{template}"
        before = found.disk.read(path)
        content = _started(found.layers, template, block, before, Place(shown(project, path)), whole=whole)
        layers = _with(found.layers, template, content)
        kept, _ = upstream.overrides(found.disk, layers)
        writes = [Write(path, before, content)]
        writes += [Write(change.path, change.before, change.after) for change in kept]
        write(project, writes)
    return path


def _started(layers: Layers, template: str, block: str, before: bytes | None, place: Place, *, whole: bool) -> bytes:
    below = [layer for layer in layers.having(template) if layer.name != USER]
    if before is not None:
        text = before.decode()
        present = overridden_blocks(text) if template.endswith(".j2") else None
        if not block or present is None or block in present:
            what = f'it overrides "{block}" already' if block and present else "there is one already"
            raise InputError.one(place, "override-exists", what, "edit it")
        return f"{text.rstrip()}\n\n{starting_block(block)}".encode()
    if not template.endswith(".j2"):
        return below[0].files[template]
    if whole:
        text = below[0].files[template].decode()
        if overridden_blocks(text) is not None:
            message = f"{below[0].name} overrides single blocks of it, which a whole template would undo"
            raise InputError.one(place, "override-exists", message, "override single blocks too")
        return text.encode()
    start = f'{{% extends "{NEXT}{template}" %}}\n'
    if block:
        return f"{start}\n{starting_block(block)}".encode()
    names = "\n".join(f"   {name}" for name in block_names(layers, template))
    return f"{start}{{# It has these blocks; `holdfast templates show {template}:BLOCK` prints one:\n{names}\n#}}\n".encode()


def starting_block(name: str) -> str:
    """An override of a block that prints what it overrides, to the byte."""
    return f"{{% block {name} %}}\n{{{{ super() -}}}}\n{{% endblock %}}\n"


def _with(layers: Layers, template: str, content: bytes) -> Layers:
    """The layers with that template in the project's own."""
    above = list(layers.order[:-1])
    if above and above[0].name == USER:
        above[0] = replace(above[0], files={**above[0].files, template: content})
    else:
        above.insert(0, Layer(USER, OWN, {template: content}))
    return Layers(above)


def drifts(project: Path, target: str = "") -> tuple[upstream.Drift, ...]:
    """What has changed upstream of all that was taken over, or of that file or template."""
    built, decided = deciding.changes(project)
    _, found = deciding.taken_over(Disk(project), built, decided)
    if not target:
        return tuple(found)
    wanted = {target, f"{OWN}/{target}", deciding.relative(project, target)}
    templates = {emit.template for emit in built.emits if emit.path in wanted}
    wanted |= {f"{OWN}/{template}" for template in templates}
    known = {drift.path for drift in found} | {f"{OWN}/{name}" for name in built.packs.layers.names("")}
    known |= {emit.path for emit in built.emits}
    if not wanted & known:
        raise InputError.one(Place(target), "unknown-path", "nothing generates a file of that name")
    return tuple(drift for drift in found if drift.path in wanted)


def see(project: Path, found: Sequence[upstream.Drift]) -> None:
    """Takes note that a person has seen to these drifts: they are told no more."""
    ejected = [str(project / drift.path) for drift in found if drift.ejected]
    if ejected:
        ejecting.eject(project, ejected)
    names = {drift.path.removeprefix(f"{OWN}/") for drift in found if not drift.ejected}
    if not names:
        return
    with exclusive(project):
        opened = _Project(project)
        changes = [upstream.seen(opened.disk, opened.layers, name) for name in sorted(names)]
        writes = [Write(change.path, change.before, change.after) for change in changes if change]
        write(project, writes)
        deciding.settle(project)
