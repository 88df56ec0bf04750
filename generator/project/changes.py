"""What a generation does to a project's files, decided in memory, with everything there is to say about it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from generator.errors import Finding
from generator.project.lock import Lock
from generator.render.emit import Owner


class Action(enum.Enum):
    """What happens to one file."""

    CREATED = "created"
    CHANGED = "changed"
    REMOVED = "removed"
    UNCHANGED = "unchanged"
    KEPT = "kept"  # the user's: as they left it, be it deleted


class Fault(enum.Enum):
    """How a project, or one of its files, deviates from what was generated, for `check`."""

    STALE = "stale"
    EDITED = "edited by hand"
    MISSING = "missing"
    ORPHANED = "orphaned"
    BREAKING = "breaking"


@dataclass(frozen=True, slots=True)
class Change:
    """One file; `before` and `after` are None where there is none. `mode` is what an existing file has."""

    path: str
    owner: Owner
    action: Action
    before: bytes | None
    after: bytes | None
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """Every file of a generation, sorted by path; nothing is written while `refused` is not empty.

    `lock` is the lock afterwards, `lock_before` the file as it is. `notes` are for a person to act on: nothing
    that is wrong, something that only they can do. `stubs` are sources that could not be inserted, by place.
    `orphaned` are files among the generated ones that nothing generates, or ever did. `breaking` are those of
    `refused` that tell what would break callers. `drifts` tell of each file and template that a person took over what
    has changed upstream since.
    """

    files: tuple[Change, ...]
    refused: tuple[Finding, ...]
    notes: tuple[Finding, ...]
    stubs: tuple[tuple[str, str], ...]
    lock: Lock
    lock_before: bytes | None
    orphaned: tuple[str, ...] = ()
    breaking: tuple[Finding, ...] = ()
    drifts: tuple[Finding, ...] = ()

    @property
    def written(self) -> tuple[Change, ...]:
        """The files that something happens to."""
        return self.with_action(Action.CREATED, Action.CHANGED, Action.REMOVED)

    def with_action(self, *actions: Action) -> tuple[Change, ...]:
        """The files that one of these happens to."""
        return tuple(change for change in self.files if change.action in actions)
