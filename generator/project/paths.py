"""Paths inside a project: what may be written or removed, and how a place in it is shown."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from generator.errors import Finding, InputError, Place, printable

LOCK = ".holdfast/lock.yaml"
"""Where the lock is, relative to the project."""

RECORDS = ".holdfast/"
"""What every file that the generator keeps for itself is below; no template makes one."""

CONTRACT = ".holdfast/contract.binpb"
"""Where the contract is kept as it was, a FileDescriptorSet without source info, relative to the project."""

BEHAVIOUR = ".holdfast/behaviour.json"
"""Where what callers rely on beside the contract is kept as it was, relative to the project."""

WAIVERS = ".holdfast/waivers.yaml"
"""Where the breaking changes are recorded that were accepted, relative to the project."""

INPUTS = ".holdfast/inputs"
"""Where the spec and the service configurations are kept as they were, relative to the project."""

UPSTREAM_TEMPLATES = ".holdfast/upstream/templates"
"""Where what lies below the project's own templates is kept as it was when they were made."""

UPSTREAM_FILES = ".holdfast/upstream/files"
"""Where ejected files are kept as they were generated when they were ejected."""

_RESERVED = frozenset({"", ".", "..", ".git"})


def is_project_path(text: str) -> bool:
    """Whether `text` may name a file of the project.

    Relative, with forward slashes, without `..`, control characters or a drive, and never inside `.git`.
    """
    return "\\" not in text and ":" not in text and printable(text) == text and _RESERVED.isdisjoint(text.split("/"))


def locate(project: Path, relative: str) -> Path:
    """The file that `relative` names in `project`; it need not exist.

    Raises InputError where it is no plain path inside the project: a symbolic link itself, not a regular file,
    below a file, or below a link that leads out.
    """
    place = Place(shown(project, relative))
    if not is_project_path(relative):
        raise InputError.one(Place(str(project)), "unsafe-path", f'"{relative}" is no path inside the project')
    path = str(project)
    *folders, _ = relative.split("/")
    for folder in folders:
        path = f"{path}/{folder}"
        mode = _mode(path)
        if mode is None:
            break
        if stat.S_ISLNK(mode):
            if not Path(path).resolve().is_relative_to(project.resolve()):
                message = f'"{printable(path)}" is a symbolic link that leads out of the project'
                raise InputError.one(place, "unsafe-path", message, "replace it by a folder")
            mode = Path(path).stat().st_mode if Path(path).exists() else 0
        if not stat.S_ISDIR(mode):
            message = f'"{printable(path)}" is a file where a folder is needed'
            raise InputError.one(place, "not-a-folder", message, "rename it")
    path = f"{project}/{relative}"
    mode = _mode(path)
    if mode is None:
        return project / relative
    if not stat.S_ISREG(mode):
        what = "a symbolic link" if stat.S_ISLNK(mode) else "a folder" if stat.S_ISDIR(mode) else "a special file"
        raise InputError.one(place, "not-a-file", f"it is {what} where a file is needed", "rename or remove it")
    return project / relative


def _mode(path: str) -> int | None:
    """What is at that path, itself and not what it may link to; None for nothing. Asked of every file and folder."""
    try:
        return os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


def shown(project: Path, relative: str) -> str:
    """`relative` as the user would type it from where they are: below `project` as they named that."""
    return str(project / relative)


def cannot(path: Path | str, doing: str, error: OSError) -> Finding:
    """An operating system error as a finding: `what could not be done: why`."""
    reason = error.strerror or str(error)
    return Finding(Place(str(path)), f"cannot-{doing}", reason[:1].lower() + reason[1:])
