"""`holdfast check`: whether a project is as its inputs say, and if not, in which way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from generator.errors import Finding, Place
from generator.project.breaking import FOUND
from generator.project.changes import Changes, Fault
from generator.project.deciding import changes
from generator.project.lock import dump
from generator.project.paths import LOCK, RECORDS, shown
from generator.project.transaction import PENDING, is_interrupted

_HINTS = {
    Fault.STALE: "run `holdfast generate`",
    Fault.EDITED: "move what you wrote to a file of yours and run `holdfast generate --force PATH`; or override its "
    "template (`holdfast templates override PATH`); or take the file over (`holdfast eject PATH`)",
    Fault.MISSING: "run `holdfast generate`, or take it from version control",
    Fault.ORPHANED: "remove it",
}
_RECORD_EDITED = "take it from version control, or run `holdfast generate --force PATH`"
_WHAT = {
    Fault.STALE: "it is not what the contract and the spec say now",
    Fault.EDITED: "a generated file was edited by hand",
    Fault.MISSING: "a generated file is missing",
    Fault.ORPHANED: "nothing generates this file",
}
EXIT_CODES = {Fault.STALE: 10, Fault.EDITED: 11, Fault.MISSING: 12, Fault.ORPHANED: 12, Fault.BREAKING: FOUND}
"""What `check` exits with, by fault; of several, the first in the order of `_ORDER`."""

DRIFT = 14
"""What `check` exits with where nothing is wrong but that something taken over has changed upstream."""

_ORDER = (Fault.EDITED, Fault.MISSING, Fault.ORPHANED, Fault.BREAKING, Fault.STALE)


def check(project: Path) -> tuple[int, tuple[Finding, ...], tuple[Finding, ...]]:
    """The exit code (0 for a project in order), a finding for each breaking change, and one for each file with a fault; and notes
    on the user's own code, which the exit code is not about.

    Writes nothing. Raises InputError where the inputs are wrong.
    """
    _, decided = changes(project)
    return *verdict(project, decided), decided.notes


def verdict(project: Path, decided: Changes) -> tuple[int, tuple[Finding, ...]]:
    """What `check` says of the changes that a generation would make."""
    faults = sorted(_faults(project, decided), key=lambda fault: fault[0])
    findings = (*(_finding(project, path, fault) for path, fault in faults), *decided.drifts)
    if not faults:
        return (DRIFT if findings else 0), findings
    kinds = {fault for _, fault in faults} | ({Fault.BREAKING} if decided.breaking else set())
    return EXIT_CODES[min(kinds, key=_ORDER.index)], (*decided.breaking, *findings)


def _faults(project: Path, decided: Changes) -> Iterator[tuple[str, Fault]]:
    for change in decided.files:
        if change.fault is not None:
            yield change.path, change.fault
    yield from ((path, Fault.ORPHANED) for path in decided.orphaned)
    if decided.lock_before is None:
        yield LOCK, Fault.MISSING
    elif decided.lock_before != dump(decided.lock):
        yield LOCK, Fault.STALE
    if is_interrupted(project):
        yield PENDING, Fault.STALE


def _finding(project: Path, path: str, fault: Fault) -> Finding:
    hint = _RECORD_EDITED if fault is Fault.EDITED and path.startswith(RECORDS) else _HINTS[fault]
    return Finding(Place(shown(project, path)), fault.name.lower(), _WHAT[fault], hint.replace("PATH", path))
