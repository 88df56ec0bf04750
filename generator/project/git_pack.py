"""Packs in git repositories: fetched once for each commit, and kept in the user's cache folder."""

from __future__ import annotations

import io
import os
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from generator.errors import InputError, Place
from generator.project.paths import cannot, is_project_path
from generator.resources import cache_folder

_PREFIX = "git+"
_SCHEMES = ("https", "ssh", "file", "http")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+-]*")
_PATIENCE = 300  # seconds for one git command
_HOOK = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
)
_SETTINGS = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "maintenance.auto=false")


@dataclass(frozen=True, slots=True)
class _Source:
    url: str
    ref: str
    subdirectory: str


def fetch(pack: str, place: Place, pinned: str) -> tuple[Path, str]:
    """The folder of the pack and the commit it is of: `pinned`, or what its ref names now where that is "".

    Raises InputError where it cannot be had. The network is asked only for what is not in the cache.
    """
    source = _parsed(pack, place)
    commit = pinned if _COMMIT.fullmatch(pinned) else ""
    try:
        folder = cache_folder() / "packs" / sha256(source.url.encode()).hexdigest()[:16]
        if not commit or not (folder / commit).is_dir():
            commit = _download(source, folder, commit, place)
    except OSError as error:
        raise InputError([cannot(error.filename or "git", "proceed", error)]) from None
    return folder / commit / source.subdirectory, commit


def _parsed(pack: str, place: Place) -> _Source:
    """`git+URL@REF`, perhaps with `#subdirectory=FOLDER`, as pip has it."""
    hint = f"write {_PREFIX}https://HOST/REPOSITORY@TAG, with #subdirectory=FOLDER where the pack is in one"

    def wrong(message: str) -> InputError:
        return InputError.one(place, "pack-url", f'"{pack}": {message}', hint)

    parts = urlsplit(pack.removeprefix(_PREFIX))
    path, at, ref = parts.path.rpartition("@")
    if not pack.startswith(_PREFIX) or parts.scheme not in _SCHEMES:
        raise wrong(f"a git repository is named {_PREFIX}URL, its scheme one of {', '.join(_SCHEMES)}")
    if not at or not path or not _REF.fullmatch(ref) or ".." in ref:
        raise wrong("it must say which tag, branch or commit is meant")
    asked = parse_qs(parts.fragment, keep_blank_values=True)
    folder = asked.pop("subdirectory", ["."])[0]
    if asked or (folder != "." and not is_project_path(folder)):
        raise wrong("what stands behind # is not understood")
    return _Source(parts._replace(path=path, fragment="").geturl(), ref, folder)


def _download(source: _Source, folder: Path, commit: str, place: Place) -> str:
    """Puts the files of a commit into `folder/COMMIT`; returns the commit."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        repository = Path(scratch, "repository")
        _git(place, "init", "--quiet", "--bare", str(repository))
        found = _resolve(source, repository, commit, place)
        archive = _git(place, "-C", str(repository), "archive", "--format=tar", found)
        unpacked = Path(scratch, "unpacked")
        _unpack(archive, unpacked)
        with suppress(FileExistsError, OSError):  # another process was quicker
            unpacked.rename(folder / found)
        if not (folder / found).is_dir():
            raise OSError(0, "cannot be written", str(folder / found))
    return found


def _unpack(archive: bytes, folder: Path) -> None:
    """Writes the plain files of a tar archive; links and whatever else is no file are left out."""
    folder.mkdir()
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isreg() and is_project_path(member.name) else None
            if content is not None:
                target = folder / member.name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content.read())


def _resolve(source: _Source, repository: Path, commit: str, place: Place) -> str:
    """Fetches the pinned commit, or what the ref names where none is; returns it."""
    at = ("-C", str(repository))
    try:
        _git(place, *at, "fetch", "--quiet", "--depth=1", "--no-tags", "--", source.url, commit or source.ref)
    except InputError:
        if not commit and not _COMMIT.fullmatch(source.ref):
            raise
        # A server need not give a commit by its name: then it is looked for in all that it has.
        _git(place, *at, "fetch", "--quiet", "--", source.url, "+refs/*:refs/*")
        wanted = commit or source.ref
        if not _has(at, wanted):
            message = f"{source.url} has no commit {wanted} any more"
            hint = "`holdfast generate --upgrade-packs` takes what the ref names now"
            raise InputError.one(place, "pack-not-found", message, hint) from None
        return wanted
    return _git(place, *at, "rev-parse", "FETCH_HEAD^{commit}").decode().strip()


def _has(at: Sequence[str], commit: str) -> bool:
    try:
        _git(Place(""), *at, "cat-file", "-e", f"{commit}^{{commit}}")
    except InputError:
        return False
    return True


def _git(place: Place, *arguments: str) -> bytes:
    """What a git command prints. Raises InputError with what it complains of."""
    variables = {name: value for name, value in os.environ.items() if name not in _HOOK}
    variables |= {"GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": ":".join(_SCHEMES), "LC_ALL": "C"}
    try:
        done = subprocess.run(  # noqa: S603 - fixed commands; URLs and refs cannot be taken for options
            ["git", *_SETTINGS, *arguments],  # noqa: S607 - whichever git the user has
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=True,
        )
    except FileNotFoundError:
        raise InputError.one(place, "pack-not-found", "there is no git to fetch it with", "install git") from None
    except subprocess.TimeoutExpired:
        raise InputError.one(place, "pack-not-found", f"git has not answered in {_PATIENCE} s") from None
    except subprocess.CalledProcessError as error:
        said = " ".join(error.stderr.decode(errors="replace").split())
        raise InputError.one(place, "pack-not-found", f"git: {said or error.returncode}") from None
    return done.stdout
