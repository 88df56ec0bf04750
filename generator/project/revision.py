"""A project's files in a git revision, read without checking it out."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from generator.errors import InputError, Place

_PLAIN_FILES = ("100644", "100755")


@dataclass(frozen=True, slots=True)
class Revision:
    """One commit; `paths` are those of the files in the project's folder, relative to it."""

    project: Path
    name: str  # as the user wrote it, "git:main"
    commit: str
    paths: frozenset[str]

    @classmethod
    def find(cls, project: Path, ref: str) -> Revision:
        """The commit that `ref` names. Raises InputError where there is none, no repository, or no git."""
        name = f"git:{ref}"
        found = _git(project, name, "rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}")
        commit = found.decode().strip()
        listed = _git(project, name, "ls-tree", "-r", "-z", commit).decode("utf-8", "surrogateescape")
        entries = (entry.partition("\t") for entry in listed.split("\0") if entry)
        paths = frozenset(path for facts, _, path in entries if facts.split(" ")[0] in _PLAIN_FILES)
        return cls(project, name, commit, paths)

    def read(self, path: str) -> bytes:
        """The content of one of the paths. Raises InputError where git does not give it."""
        return _git(self.project, self.name, "cat-file", "blob", f"{self.commit}:./{path}")

    def extract(self, folder: Path) -> None:
        """Writes all the project's inputs into an empty folder."""
        for path in sorted(self.paths):
            if path.endswith((".proto", ".yaml", ".yml", ".json", ".toml")):
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(self.read(path))

    def shown(self, path: str) -> str:
        """The path as findings have it."""
        return f"{self.name}:{path}"


def _git(project: Path, name: str, *arguments: str) -> bytes:
    command = ["git", "-C", str(project), *arguments]
    try:
        # There is no shell, and no ref can be taken for an option.
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
    except FileNotFoundError:
        raise InputError.one(Place(name), "git-failed", "git is not installed") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().split("\n")[0].removeprefix("fatal: ")
        hint = "CI often fetches one commit alone: fetch the revision first"
        raise InputError.one(Place(name), "git-failed", said or "git failed without saying why", hint)
    return done.stdout
