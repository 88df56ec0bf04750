"""What lay below an override or an ejected file when a person took it over, kept so that later changes can be told.

`.holdfast/upstream/templates/` has it for the project's own templates, `.holdfast/upstream/files/` for ejected files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from generator.errors import Finding, Place
from generator.project.changes import Action, Change, Fault
from generator.project.disk import Disk
from generator.project.lock import Locked, digest
from generator.project.packs import OWN
from generator.project.paths import UPSTREAM_FILES, UPSTREAM_TEMPLATES, shown
from generator.render.emit import Emit, Owner
from generator.render.layers import USER, Layers
from generator.render.overrides import block_text, overridden_blocks

_SECTION = re.compile(r"^\{# (?:block (\w+)|the whole template) #\}\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Drift:
    """What changed upstream of something taken over: `path` is what it is, `subject` what it stems from, in words.

    `then` is what lay below it when it was taken over, `now` what does; "" for what is not known.
    """

    path: str
    subject: str
    then: str
    now: str
    ejected: bool = False

    def finding(self, disk: Disk) -> Finding:
        """The drift for people."""
        message = f"{self.subject} has changed upstream since you took it over"
        hint = f"see `holdfast templates diff {self.path}`; then `holdfast templates diff --seen {self.path}`"
        place = Place(shown(disk.project, self.path))
        return Finding(place, "ejected-drift" if self.ejected else "override-drift", message, hint)


def overrides(disk: Disk, layers: Layers) -> tuple[list[Change], list[Drift]]:
    """What to write below UPSTREAM_TEMPLATES so that it has what every override stands on, and how that has drifted.

    Of what an override did not stand on before, what is below it now is kept.
    """
    changes: list[Change] = []
    drifts: list[Drift] = []
    wanted: set[str] = set()
    for name in _overriding(layers):
        path = f"{UPSTREAM_TEMPLATES}/{name}"
        wanted.add(path)
        now = _basis(layers, name)
        before = disk.read(path)
        then = now if before is None else {**now, **_read(before, now)}
        drifts += [
            Drift(f"{OWN}/{name}", f"block {key} of {name}" if key else name, then[key], now[key])
            for key in now
            if then[key] != now[key]
        ]
        changes += _change(path, before, _written(then, plain=not name.endswith(".j2")))
    for path in disk.below(UPSTREAM_TEMPLATES):
        if path not in wanted:
            changes += _change(path, disk.read(path), None)
    return changes, drifts


def seen(disk: Disk, layers: Layers, name: str) -> Change | None:
    """What to write when a person has seen to the drift under their template `name`; None for nothing."""
    path = f"{UPSTREAM_TEMPLATES}/{name}"
    content = _written(_basis(layers, name), plain=not name.endswith(".j2"))
    return next(iter(_change(path, disk.read(path), content)), None)


def ejected(disk: Disk, emits: Sequence[Emit], taken: Mapping[str, Locked]) -> tuple[list[Change], list[Drift]]:
    """What to write below UPSTREAM_FILES so that it has what each ejected file was generated as, and how that has drifted.

    `taken` are the ejected files that are still emitted, as the lock has them.
    """
    changes: list[Change] = []
    drifts: list[Drift] = []
    for emit in emits:
        locked = taken.get(emit.path)
        if locked is None:
            continue
        path = f"{UPSTREAM_FILES}/{emit.path}"
        then = disk.read(path)
        if digest(emit.content) == locked.hash:
            changes += _change(path, then, emit.content)
        else:
            old = "" if then is None else then.decode(errors="replace")
            now = emit.content.decode(errors="replace")
            drifts.append(Drift(emit.path, f"what {emit.template} makes", old, now, ejected=True))
    for path in disk.below(UPSTREAM_FILES):
        if path.removeprefix(f"{UPSTREAM_FILES}/") not in taken:
            changes += _change(path, disk.read(path), None)
    return changes, drifts


def _change(path: str, before: bytes | None, after: bytes | None) -> Sequence[Change]:
    if before == after:
        return ()
    action = Action.REMOVED if after is None else Action.CREATED if before is None else Action.CHANGED
    return (Change(path, Owner.MANAGED, action, before, after, Fault.STALE),)


def _overriding(layers: Layers) -> Iterator[str]:
    """The project's own templates that stand over others."""
    for layer in layers.order:
        if layer.name == USER:
            yield from (name for name in sorted(layer.files) if layers.having(name, below=layer))


def _basis(layers: Layers, name: str) -> Mapping[str, str]:
    """What a template of the project's own stands on: the text below it by block, under "" for a whole template.

    Where several layers below have it, their texts follow each other.
    """
    own, *below = layers.having(name)
    texts = [layer.files[name].decode(errors="replace") for layer in below]
    blocks = overridden_blocks(own.files[name].decode(errors="replace")) if name.endswith(".j2") else None
    if blocks is None:
        return {"": "\n".join(texts) if name.endswith(".j2") else texts[0]}
    found = {block: [text for text in (block_text(source, block) for source in texts) if text] for block in blocks}
    return {block: "\n".join(parts) for block, parts in found.items()}


def _written(sections: Mapping[str, str], *, plain: bool) -> bytes:
    if plain:
        return sections[""].encode()
    marked = (f"{{# block {key} #}}\n" if key else "{# the whole template #}\n" for key in sections)
    return "\n".join(mark + text for mark, text in zip(marked, sections.values(), strict=True)).encode()


def _read(content: bytes, now: Mapping[str, str]) -> Mapping[str, str]:
    """The sections of what was written, those that are still asked for."""
    text = content.decode(errors="replace")
    marks = list(_SECTION.finditer(text))
    if not marks:
        return {"": text} if "" in now else {}
    ends = [mark.start() - 1 for mark in marks[1:]] + [len(text)]
    sections = {mark[1] or "": text[mark.end() : end] for mark, end in zip(marks, ends, strict=True)}
    return {key: sections[key] for key in now if key in sections}
