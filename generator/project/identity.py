"""What generates: this generator and its tools, told apart by content and by version."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path

from generator import resources

TOOLS = ("black", "grpcio-tools")
"""The packages whose output is in a project."""

_OWN = ("templates", "schemas", "copier.yml")
_SUFFIXES = (".pyc", ".pyo")


@cache
def identity() -> str:
    """A hash over the generator's own code and templates: the same from a checkout and from a wheel of it."""
    package = Path(__file__).resolve().parents[1]
    found = sha256()
    for root in (package, *(resources.root() / name for name in _OWN)):
        own = {str(package / name) for name in _OWN} if root == package else set()  # in a wheel they lie inside
        for path in sorted(_below(str(root), own)):
            name = path.removeprefix(str(root.parent)).replace(os.sep, "/")
            with open(path, "rb") as file:  # noqa: PTH123 - there are hundreds, and Path takes twice as long
                content = file.read()
            found.update(f"{name} {len(content)}\n".encode())
            found.update(content)
    return found.hexdigest()


def versions(names: Sequence[str] = TOOLS) -> Mapping[str, str]:
    """The versions of installed packages, as Python would import them; without those that are not found.

    What `importlib.metadata` says, without the time that takes to load.
    """
    wanted = {re.sub(r"[-_.]+", "_", name).lower(): name for name in names}
    found: dict[str, str] = {}
    for folder in sys.path:
        with suppress(OSError):
            for entry in os.listdir(folder or "."):  # noqa: PTH208 - as above
                stem, dot, kind = entry.rpartition(".")
                package, dash, version = stem.partition("-")
                name = wanted.get(package.lower())
                if name is not None and dot and dash and kind == "dist-info":
                    found.setdefault(name, version)
    return {name: found[name] for name in names if name in found}


def _below(root: str, without: AbstractSet[str]) -> Iterator[str]:
    """Every file below a folder, or the file itself; some paths and what Python caches left out."""
    if os.path.isfile(root):  # noqa: PTH113 - as above
        yield root
        return
    with os.scandir(root) as entries:
        for entry in entries:
            if entry.path in without or entry.name == "__pycache__":
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _below(entry.path, without)
            elif not entry.name.endswith(_SUFFIXES):
                yield entry.path
