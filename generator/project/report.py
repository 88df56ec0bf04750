"""Tells a person what a generation did, or would do."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from generator.errors import printable
from generator.project.changes import Action, Changes, Fault
from generator.project.lock import dump
from generator.project.paths import LOCK, shown
from generator.project.settled import SUMMARY

_READABLE = 1000  # bytes in a line
_REASONS = 4  # told for one file
_NONE: Mapping[str, Sequence[str]] = MappingProxyType({})
_SIGNS = {Action.CREATED: "+", Action.CHANGED: "~", Action.REMOVED: "-"}


def summary(
    project: Path,
    changes: Changes,
    causes: Sequence[str] = (),
    reasons: Mapping[str, Sequence[str]] = _NONE,
    *,
    verbose: bool = False,
) -> Iterator[str]:
    """What is not as it was, a line for each file that changes (with `verbose`, for every file), then the totals.

    Beside each file stands why it changes, as far as there are `reasons`.
    """
    yield from (printable(f"because {cause}") for cause in causes)
    counts = dict.fromkeys(Action, 0)
    for change in changes.files:
        counts[change.action] += 1
        sign = _SIGNS.get(change.action)
        if sign or verbose:
            label = _few(reasons.get(change.path, ())) if sign else f"  ({change.action.value})"
            yield f"{sign or ' '} {printable(shown(project, change.path))}{label}"
    for path in changes.orphaned:
        yield f"? {printable(shown(project, path))}  (orphaned: nothing generates it)"
    totals = [f"{counts[action]} {action.value}" for action in _SIGNS if counts[action]]
    if totals:
        yield ", ".join([*totals, f"{counts[Action.UNCHANGED]} unchanged", *_left(changes)])
    elif changes.lock_before != dump(changes.lock):
        yield ", ".join([f"only {printable(shown(project, LOCK))} changed", *_left(changes)])
    else:
        yield ", ".join([SUMMARY.format(counts[Action.UNCHANGED]), *_left(changes)])


def _left(changes: Changes) -> Iterator[str]:
    """What is left to people."""
    if changes.orphaned:
        yield f"{len(changes.orphaned)} orphaned"
    if by_hand := len(changes.notes) + len(changes.drifts):
        yield f"{by_hand} to do by hand"


def _few(reasons: Sequence[str]) -> str:
    more = [f"and {len(reasons) - _REASONS} more"] if len(reasons) > _REASONS else []
    return f"  ({printable('; '.join([*reasons[:_REASONS], *more]))})" if reasons else ""


def stubs(changes: Changes) -> Iterator[str]:
    """The sources of the stubs that could not be inserted, by file."""
    for path, source in changes.stubs:
        yield f"# for {printable(path)}"
        yield source


def diff(
    project: Path, changes: Changes, causes: Sequence[str] = (), reasons: Mapping[str, Sequence[str]] = _NONE
) -> Iterator[str]:
    """A unified diff of everything that would change; what is not as it was before it, and before each file."""
    yield from (printable(f"# because {cause}") for cause in causes)
    for change in changes.written:
        name = printable(shown(project, change.path))
        if change.path in reasons:
            yield f"# {name}{_few(reasons[change.path])}"
        sides = [name if content is not None else "/dev/null" for content in (change.before, change.after)]
        yield from _diff(name, change.before, change.after, sides)


def edits(project: Path, changes: Changes) -> Iterator[str]:
    """A unified diff of what was edited by hand in the files that must not be: from what is generated to what is there."""
    for change in changes.written:
        if change.fault is Fault.EDITED:
            name = printable(shown(project, change.path))
            yield from _diff(name, change.after, change.before, [f"{name} (as generated now)", f"{name} (as it is)"])


def _diff(name: str, before: bytes | None, after: bytes | None, sides: Sequence[str]) -> Iterator[str]:
    old, new = _text(before or b""), _text(after or b"")
    if old is None or new is None:
        yield f"{name}: {len(before or b'')} bytes become {len(after or b'')}"
    else:
        yield from difflib.unified_diff(_lines(old), _lines(new), sides[0], sides[1], lineterm="")


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
