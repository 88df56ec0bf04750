"""What `examples/orders/project` must be: what the generator makes of the contract and the spec beside it today."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from generator.project.generating import generate
from generator.project.lock import Lock, dump, load
from generator.project.new import Request, new
from generator.project.paths import LOCK
from generator.render.emit import Owner

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "orders"
PROJECT = EXAMPLE / "project"

# The runtime is templates/python/runtime to the letter. The answers name the place and the commit that copier took the
# template from: they differ from machine to machine.
LEFT_OUT = ("src/orders/runtime/", ".copier-answers.yml")
PROTOC_OUTPUT = "src/orders/gen/pb/"


def committed() -> Mapping[str, bytes]:
    """The project as it stands, by path."""
    return _files(PROJECT)


def expected() -> Mapping[str, bytes]:
    """The project as it should stand, by path: emitted anew, around the files in it that are a user's."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "orders"
        new(
            Request(
                project,
                contracts=(str(EXAMPLE / "protos" / "orders" / "v1" / "orders.proto"),),
                include=(EXAMPLE / "protos",),
                spec=EXAMPLE / "resilience.yaml",
            )
        )
        for path in _users(load((project / LOCK).read_bytes(), LOCK)):
            if (PROJECT / path).is_file():
                shutil.copyfile(PROJECT / path, project / path)
        generate(project)
        return _files(project)


def tools(files: Mapping[str, bytes]) -> Mapping[str, str]:
    """The tools that made the project, with their versions."""
    return load(files[LOCK], LOCK).tools


def without_protoc_output(files: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """What another version of protoc prints alike, too."""
    lock = load(files[LOCK], LOCK)
    locked = {path: entry for path, entry in lock.files.items() if not path.startswith(PROTOC_OUTPUT)}
    kept = {path: content for path, content in files.items() if not path.startswith(PROTOC_OUTPUT)}
    return {**kept, LOCK: dump(replace(lock, tools={}, files=locked))}


def _users(lock: Lock) -> list[str]:
    return [path for path, entry in lock.files.items() if entry.owner in (Owner.SEEDED, Owner.APPENDED)]


def _files(project: Path) -> Mapping[str, bytes]:
    found = {path.relative_to(project).as_posix(): path for path in sorted(project.rglob("*")) if path.is_file()}
    kept = {path: file.read_bytes() for path, file in found.items() if _belongs(path)}
    if LOCK in kept:
        lock = load(kept[LOCK], LOCK)
        kept[LOCK] = dump(replace(lock, files={path: entry for path, entry in lock.files.items() if _belongs(path)}))
    return kept


def _belongs(path: str) -> bool:
    return not path.startswith(LEFT_OUT) and "__pycache__" not in path
