"""Puts decided changes on disk: all of them with the new lock, or none."""

from __future__ import annotations

from pathlib import Path

from generator.errors import InputError
from generator.project.changes import Changes
from generator.project.lock import dump
from generator.project.paths import LOCK
from generator.project.transaction import Write, write


class RefusedError(InputError):
    """Some of `changes` may not be made, so that none is."""

    def __init__(self, changes: Changes) -> None:
        super().__init__(changes.refused)
        self.changes = changes


def apply(project: Path, changes: Changes) -> bool:
    """Writes the changes and the lock; returns whether there was anything to write.

    Raises RefusedError where a file was refused, InputError where the file system refuses, with nothing written. Files
    that do not change are not touched.
    """
    if changes.refused:
        raise RefusedError(changes)
    writes = [Write(change.path, change.before, change.after) for change in changes.written]
    lock = dump(changes.lock)
    if lock != changes.lock_before:
        writes.append(Write(LOCK, changes.lock_before, lock))
    if writes:
        write(project, writes)
    return bool(writes)
