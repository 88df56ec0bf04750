"""A new project is made aside, in a folder that becomes it or goes away; what was interrupted the next run clears up."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from generator.errors import InputError
from generator.project.exclusion import abandoned, exclusive
from generator.project.paths import cannot

_PREFIX = ".holdfast-new-"
_COMPLETE = ".complete"
"""In a folder whose project is finished, and on its way to where it belongs."""


@contextmanager
def folder_for(dest: Path) -> Iterator[Path]:
    """An empty folder on the file system of `dest`; it, and folders made for it, are gone if anything goes wrong.

    Beside a destination that is not there yet; inside one that is, which may be a mount of its own. Raises InputError
    where it cannot be made.
    """
    parent = dest if dest.is_dir() else dest.absolute().parent
    made: list[Path] = []
    with ExitStack() as claimed:
        try:
            missing = [folder for folder in (parent, *parent.parents) if not folder.exists()]
            for folder in reversed(missing):
                folder.mkdir()
                made.append(folder)
            aside = claimed.enter_context(_claimed(parent))
        except OSError as error:
            _remove(made)
            raise InputError([cannot(dest, "write", error)]) from None
        try:
            yield aside
        except BaseException:
            claimed.close()
            _remove(made)
            raise


def place(project: Path, dest: Path) -> None:
    """Moves the finished project to its destination; what is there already (.git) stays. Raises InputError."""
    moved: list[Path] = []
    try:
        if not dest.is_dir():
            project.rename(dest)
            return
        entries = sorted(project.iterdir())
        (project / _COMPLETE).touch()
        for entry in entries:
            entry.rename(dest / entry.name)
            moved.append(dest / entry.name)
    except OSError as error:
        for path in moved:
            path.rename(project / path.name)
        raise InputError([cannot(dest, "write", error)]) from None


def finish(dest: Path) -> bool:
    """Finishes moving a project into `dest` where that was interrupted; whether it was. Raises InputError."""
    finished = False
    for folder in _interrupted(dest):
        with abandoned(folder) as nobodys:
            if not nobodys or not (folder / _COMPLETE).exists():
                continue
            try:
                for entry in sorted(folder.iterdir()):
                    if entry.name != _COMPLETE:
                        entry.rename(dest / entry.name)
            except OSError as error:
                raise InputError([cannot(dest, "write", error)]) from None
            shutil.rmtree(folder, ignore_errors=True)
            finished = True
    return finished


@contextmanager
def _claimed(parent: Path) -> Iterator[Path]:
    """A new folder, which no other process takes for an abandoned one; those that are abandoned are removed."""
    with ExitStack() as claim:
        with exclusive(parent):  # nobody else looks before it is claimed
            for left in _interrupted(parent):
                with abandoned(left) as nobodys:
                    if nobodys and not (left / _COMPLETE).exists():
                        shutil.rmtree(left, ignore_errors=True)
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
            claim.callback(shutil.rmtree, folder, ignore_errors=True)
            claim.enter_context(exclusive(folder))
        yield folder


def _interrupted(parent: Path) -> Sequence[Path]:
    return sorted(parent.glob(f"{_PREFIX}*"))


def _remove(folders: Sequence[Path]) -> None:
    for folder in reversed(folders):
        with suppress(OSError):
            folder.rmdir()
