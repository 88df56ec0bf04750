"""What the last run found in order, remembered outside the project: a run that meets it unchanged need not look again.

The record is one hash over everything that a generation depends on or writes: the generator's own files and the
packages installed beside it, the project's inputs, every emitted file and the lock. It lies in the user's cache folder,
and is never needed: where it is missing, or anything differs, the run is done in full.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from generator import resources

VARIABLE = "HOLDFAST_CACHE"
"""Names the folder of the records; "off" for none."""

SUMMARY = "nothing to do: {} generated files are current"
"""What a run has to say that changes nothing."""

_VERSION = 1
_KEPT = 64  # records, the latest
_OWN = ("templates", "schemas", "copier.yml")


def current(project: Path) -> int | None:
    """The number of generated files where the project is as it was remembered, None where that is not known."""
    try:
        record = json.loads(_file(project).read_bytes())
        if record["version"] == _VERSION and _hash(project, record["files"], record["folders"]) == record["hash"]:
            return int(record["count"])
    except (OSError, ValueError, TypeError, KeyError, RuntimeError):
        return None
    return None


def remember(project: Path, files: Iterable[str], folders: Sequence[str], count: int) -> None:
    """Remember the project as it is now: `count` generated files, all current, and nothing to be said about them.

    `files` are those it depends on, relative to it; of `folders` the names below them count too. What cannot be
    remembered is not.
    """
    with suppress(OSError, ValueError, RuntimeError):
        listed = sorted(set(files))
        record = {
            "version": _VERSION,
            "files": listed,
            "folders": list(folders),
            "hash": _hash(project, listed, folders),
            "count": count,
        }
        file = _file(project)
        file.parent.mkdir(parents=True, exist_ok=True)
        scratch = file.with_suffix(f".{os.getpid()}")
        scratch.write_text(json.dumps(record))
        scratch.replace(file)
        _prune(file.parent)


def _file(project: Path) -> Path:
    """Where the project's record is. Raises ValueError where there are to be none, RuntimeError without a home."""
    folder = os.environ.get(VARIABLE, "")
    if folder == "off":
        raise ValueError("records are off")
    if not folder:
        folder = os.path.join(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "holdfast")  # noqa: PTH118
    return Path(folder, f"{sha256(os.fsencode(project.resolve())).hexdigest()[:32]}.json")


def _prune(folder: Path) -> None:
    records = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in records[_KEPT:]:
        path.unlink(missing_ok=True)


def _hash(project: Path, files: Sequence[str], folders: Sequence[str]) -> str:
    """The hash of all that counts. Raises OSError for a file that is not there, ValueError for what is no plain file."""
    found = sha256()
    for part in _tools():
        found.update(part.encode("utf-8", "surrogateescape") + b"\n")
    for folder in folders:
        for name, _ in _below(project / folder):
            found.update(os.fsencode(name) + b"\n")
    for folder in sorted({file.rpartition("/")[0] for file in files}):
        if not stat.S_ISDIR((project / folder).lstat().st_mode):
            raise ValueError(f"{folder} is no folder")
    for file in files:
        path = project / file
        if not stat.S_ISREG(path.lstat().st_mode):
            raise ValueError(f"{file} is no file")
        found.update(sha256(path.read_bytes()).digest())
    return found.hexdigest()


def _tools() -> Iterator[str]:
    """What generates: this Python, the packages it can import, and this generator to the file."""
    yield sys.version
    for folder in sys.path:
        with suppress(OSError):
            yield from sorted(path.name for path in Path(folder).glob("*.dist-info"))
    package = Path(__file__).resolve().parents[1]
    for root in (package, *(resources.root() / name for name in _OWN)):
        for path, status in _below(root):
            yield f"{path} {status.st_size} {status.st_mtime_ns}"


def _below(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Every file below a folder, or the file itself, in order; caches left out."""
    if not root.is_dir():
        if root.exists():
            yield str(root), root.stat()
        return
    pending = [str(root)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.name == "__pycache__":
                    continue
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                else:
                    yield entry.path, entry.stat(follow_symlinks=False)
