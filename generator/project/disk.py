"""The project's files as they are on disk, each read once."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path

from generator.errors import InputError
from generator.project.config import Config
from generator.project.lock import digest
from generator.project.paths import cannot, locate


class Disk:
    """A project's folder, read lazily; what was read is remembered for one command."""

    __slots__ = ("_read", "project")

    def __init__(self, project: Path) -> None:
        self.project = project
        self._read: dict[str, tuple[bytes, str] | None] = {}

    def read(self, path: str) -> bytes | None:
        """The file's content, None where there is none. Raises InputError for what cannot be read or trusted."""
        found = self._file(path)
        return found[0] if found else None

    def digest(self, path: str) -> str:
        """The hash of the file's content, "" where there is none."""
        found = self._file(path)
        return found[1] if found else ""

    def below(self, folder: str) -> Iterator[str]:
        """The paths of the files below a folder, sorted; caches and hidden files left out."""
        pending = [folder]
        while pending:
            current = pending.pop()
            directory = self.project / current
            if directory.is_symlink() or not directory.is_dir():
                continue
            for entry in sorted(directory.iterdir()):
                path = f"{current}/{entry.name}"
                if entry.name == "__pycache__" or entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    pending.append(path)
                else:
                    yield path

    def _file(self, path: str) -> tuple[bytes, str] | None:
        if path not in self._read:
            location = locate(self.project, path)
            try:
                content = location.read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                self._read[path] = None
            except OSError as error:
                raise InputError([cannot(location, "read", error)]) from None
            else:
                self._read[path] = content, digest(content)
        return self._read[path]


def orphans(disk: Disk, config: Config, known: AbstractSet[str]) -> Iterator[str]:
    """The files that lie in the package's generated folders, and are not among those `known` to be generated."""
    for folder in (f"src/{config.package}/gen", f"src/{config.package}/runtime"):
        yield from (path for path in disk.below(folder) if path not in known)
