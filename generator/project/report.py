"""Tells a person what a generation did, or would do."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

from generator.errors import printable
from generator.project.changes import Action, Change, Changes
from generator.project.lock import dump
from generator.project.paths import LOCK, shown
from generator.project.record import SUMMARY

_READABLE = 1000  # bytes in a line
_SIGNS = {Action.CREATED: "+", Action.CHANGED: "~", Action.REMOVED: "-"}


def summary(project: Path, changes: Changes, *, verbose: bool = False) -> Iterator[str]:
    """One line for each file that changes (with `verbose`, for every file), then the totals."""
    counts = dict.fromkeys(Action, 0)
    for change in changes.files:
        counts[change.action] += 1
        sign = _SIGNS.get(change.action)
        if sign or verbose:
            label = "" if sign else f"  ({change.action.value})"
            yield f"{sign or ' '} {printable(shown(project, change.path))}{label}"
    totals = [f"{counts[action]} {action.value}" for action in _SIGNS if counts[action]]
    if totals:
        yield ", ".join([*totals, f"{counts[Action.UNCHANGED]} unchanged"])
    elif changes.lock_before != dump(changes.lock):
        yield f"only {printable(shown(project, LOCK))} changed"
    else:
        yield SUMMARY.format(counts[Action.UNCHANGED])


def stubs(changes: Changes) -> Iterator[str]:
    """The sources of the stubs that could not be inserted, by file."""
    for path, source in changes.stubs:
        yield f"# for {printable(path)}"
        yield source


def diff(project: Path, changes: Changes) -> Iterator[str]:
    """A unified diff of everything that would change."""
    for change in changes.with_action(*_SIGNS):
        yield from _diff(project, change)


def _diff(project: Path, change: Change) -> Iterator[str]:
    name = printable(shown(project, change.path))
    before, after = change.before or b"", change.after or b""
    old, new = _text(before), _text(after)
    if old is None or new is None:
        yield f"{name}: {len(before)} bytes become {len(after)}"
        return
    from_file = name if change.before is not None else "/dev/null"
    to_file = name if change.after is not None else "/dev/null"
    yield from difflib.unified_diff(_lines(old), _lines(new), from_file, to_file, lineterm="")


def _text(content: bytes) -> str | None:
    """The content, where it is for people to read: not binary, nor protoc's serialised descriptors."""
    if b"\0" in content or any(len(line) > _READABLE for line in content.split(b"\n")):
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _lines(text: str) -> list[str]:
    return [printable(line.expandtabs()) for line in text.split("\n")]
