"""Puts decided changes on disk: all of them with the new lock, or none."""

from __future__ import annotations

from pathlib import Path

from generator.errors import InputError
from generator.project.changes import Action, Changes
from generator.project.lock import dump
from generator.project.paths import LOCK
from generator.project.transaction import Write, write

_WRITTEN = (Action.CREATED, Action.CHANGED, Action.REMOVED)


def apply(project: Path, changes: Changes) -> bool:
    """Writes the changes and the lock; returns whether there was anything to write.

    Raises InputError, with nothing written, where a file was refused or the file system refuses. Files that do not
    change are not touched.
    """
    if changes.refused:
        raise InputError(changes.refused)
    writes = [Write(change.path, change.before, change.after) for change in changes.with_action(*_WRITTEN)]
    lock = dump(changes.lock)
    if lock != changes.lock_before:
        writes.append(Write(LOCK, changes.lock_before, lock))
    if writes:
        write(project, writes)
    return bool(writes)
