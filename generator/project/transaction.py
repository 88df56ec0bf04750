"""Writes several files of a project or none of them, whatever happens in between.

New contents are staged below `.holdfast/pending/` with the old ones beside them, then a journal says what is to be
done: from there on it can be finished (by this run, or after a crash by the next) or undone. A file that somebody
changed in the meantime is left alone.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator.errors import InputError, Place
from generator.project.lock import digest
from generator.project.paths import cannot, locate

PENDING = ".holdfast/pending"
"""Where an interrupted write is found, relative to the project."""

_JOURNAL = "journal.json"


@dataclass(frozen=True, slots=True)
class Write:
    """One file to write (`after`) or to remove (None); `before` is what it is replacing, None for nothing."""

    path: str
    before: bytes | None
    after: bytes | None


@dataclass(frozen=True, slots=True)
class _Step:
    """A Write in the journal; hashes are "" for no file. Contents lie beside it as `<index>.new` and `<index>.old`."""

    index: int
    path: str
    before: str
    after: str


def write(project: Path, writes: Sequence[Write]) -> None:
    """Does all of `writes`, in order, or nothing. Raises InputError where the file system refuses."""
    pending = project / PENDING
    made: list[Path] = []
    try:
        _make_folders(pending, made)
        steps = [_stage(project, pending, index, one) for index, one in enumerate(writes)]
        _publish(pending, steps)
    except OSError as error:
        _discard(pending, made)
        raise InputError([cannot(error.filename or project, "write", error)]) from None
    except BaseException:
        _discard(pending, made)
        raise
    folders: list[Path] = []
    try:
        for step in steps:
            _do(project, pending, step, folders)
    except OSError as error:
        with suppress(OSError):  # what cannot be undone either keeps its journal, for the next command to finish
            _undo(project, pending, steps, folders)
            _discard(pending, made)
        raise InputError([cannot(error.filename or project, "write", error)]) from None
    _discard(pending)


def recover(project: Path) -> int | None:
    """Finishes what an interrupted `write` left behind. Returns the number of files it completed, None for nothing.

    What had not got as far as a journal is undone: nothing had been touched. Raises InputError where the journal is
    not one.
    """
    pending = project / PENDING
    if not os.path.lexists(pending):
        return None
    place = Place(str(pending))
    if pending.is_symlink() or not pending.is_dir():
        raise InputError.one(place, "unsafe-path", "it is no folder", "remove it")
    completed = 0
    try:
        if (pending / _JOURNAL).is_file():
            steps = _read(pending / _JOURNAL)
            for step in steps:
                locate(project, step.path)
            for step in steps:
                if _current(project / step.path) == step.before != step.after and _is_staged(pending, step):
                    _do(project, pending, step, [])
                    completed += 1
        _discard(pending)
    except OSError as error:
        raise InputError([cannot(error.filename or pending, "write", error)]) from None
    return completed


def is_interrupted(project: Path) -> bool:
    """Whether a write was interrupted and waits to be finished."""
    return os.path.lexists(project / PENDING)


def _stage(project: Path, pending: Path, index: int, one: Write) -> _Step:
    target = locate(project, one.path)
    _check_writable(target)
    if one.after is not None:
        staged = pending / f"{index}.new"
        staged.write_bytes(one.after)
        if one.before is not None:
            staged.chmod(stat.S_IMODE(target.stat().st_mode))
    if one.before is not None:
        shutil.copy2(target, pending / f"{index}.old")
    return _Step(
        index,
        one.path,
        "" if one.before is None else digest(one.before),
        "" if one.after is None else digest(one.after),
    )


def _check_writable(target: Path) -> None:
    """Finds out early what the renames would stumble over."""
    folder = target.parent
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(13, "Permission denied", str(target))


def _publish(pending: Path, steps: Sequence[_Step]) -> None:
    """The point of no return: from here on the write is finished, not forgotten."""
    entries = [[step.path, step.before, step.after] for step in steps]
    draft = pending / f"{_JOURNAL}.draft"
    draft.write_text(json.dumps(entries), encoding="utf-8")
    draft.replace(pending / _JOURNAL)


def _read(journal: Path) -> list[_Step]:
    place = Place(str(journal))
    try:
        entries: Any = json.loads(journal.read_bytes())
    except (ValueError, RecursionError):
        entries = None
    if not isinstance(entries, list) or not all(
        isinstance(entry, list) and len(entry) == 3 and all(isinstance(text, str) for text in entry)
        for entry in entries
    ):
        raise InputError.one(place, "journal-unreadable", "it is no journal", f"remove {journal.parent}")
    return [_Step(index, path, before, after) for index, (path, before, after) in enumerate(entries)]


def _current(target: Path) -> str:
    return digest(target.read_bytes()) if target.exists() else ""


def _is_staged(pending: Path, step: _Step) -> bool:
    """Whether the new content is there in full: a power cut may have kept the journal and lost the rest."""
    return not step.after or _current(pending / f"{step.index}.new") == step.after


def _do(project: Path, pending: Path, step: _Step, made: list[Path]) -> None:
    """Does one step; the folders it makes are added to `made`, even if it fails then."""
    target = project / step.path
    if step.after:
        _make_folders(target.parent, made)
        (pending / f"{step.index}.new").replace(target)
    else:
        target.unlink(missing_ok=True)
        _remove_empty(project, target.parent)


def _undo(project: Path, pending: Path, steps: Sequence[_Step], folders: Sequence[Path]) -> None:
    """Puts back what was there. Raises OSError where the file system refuses even that."""
    for step in reversed(steps):
        target = project / step.path
        old = pending / f"{step.index}.old"
        if _current(target) != step.after or step.before == step.after:
            continue
        if step.before:
            target.parent.mkdir(parents=True, exist_ok=True)
            old.replace(target)
        else:
            target.unlink(missing_ok=True)
    for folder in reversed(folders):
        with suppress(OSError):
            folder.rmdir()


def _make_folders(folder: Path, made: list[Path]) -> None:
    """Makes a folder and those above it; each new one is added to `made`, the outermost first."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    missing.reverse()
    for one in missing:
        one.mkdir()
        made.append(one)


def _remove_empty(project: Path, folder: Path) -> None:
    """Removes the folders that pruning has emptied; what Python cached in them counts for nothing."""
    while folder != project and folder.is_dir():
        left = list(folder.iterdir())
        if any(entry.name != "__pycache__" or entry.is_symlink() for entry in left):
            return
        for cache in left:
            if any(entry.suffix != ".pyc" or not entry.is_file() for entry in cache.iterdir()):
                return
        for cache in left:
            shutil.rmtree(cache)
        folder.rmdir()
        folder = folder.parent


def _discard(pending: Path, made: Sequence[Path] = ()) -> None:
    """Removes the staging folder, the journal first: without it there is nothing to finish."""
    (pending / _JOURNAL).unlink(missing_ok=True)
    shutil.rmtree(pending, ignore_errors=True)
    for folder in reversed(made):
        with suppress(OSError):
            folder.rmdir()
