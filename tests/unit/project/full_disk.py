"""Generates a project on a file system with less and less room, and says what became of it each time.

Run as a program in a mount namespace of its own: PROJECT FOLDER. The project is copied to a file system in memory,
mounted at FOLDER, that leaves room for a number of bytes or of files; its contract gains a package, and it is generated.
Prints one JSON object for each amount of room, from none at all to enough.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from generator.cli import main

_PAGE = 4096
_SECOND = 'syntax = "proto3";\npackage far.away.v1;\nmessage Thing {}\n'


def generate_with_little_room(project: Path, folder: Path) -> Iterator[Mapping[str, object]]:
    """What `generate` exits with and says, and whether the project was left alone, for each amount of room."""
    for kind in ("size", "nr_inodes"):
        for room in range(0, 400, 1 if kind == "nr_inodes" else 3):
            outcome = _outcome(project, folder, kind, room)
            yield outcome
            if outcome["exit code"] == 0:
                break


def _outcome(project: Path, folder: Path, kind: str, room: int) -> Mapping[str, object]:
    everything = list(project.rglob("*"))
    pages = sum(-(-path.stat().st_size // _PAGE) for path in everything if path.is_file())
    limit = (pages + room) * _PAGE if kind == "size" else len(everything) + 2 + room
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"{kind}={limit}", "none", folder], check=True)
    try:
        copy = Path(shutil.copytree(project, folder / "demo"))
        before = _tree(copy)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as error:
            code = main(["generate", "--project", str(copy)])
        return {"kind": kind, "exit code": code, "error": error.getvalue(), "left alone": _tree(copy) == before}
    finally:
        subprocess.run(["umount", folder], check=True)


def _tree(project: Path) -> Mapping[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(project.rglob("*"))}


if __name__ == "__main__":
    made, mounted = map(Path, sys.argv[1:])
    greeter = made / "contract/greeter.proto"
    greeter.write_text(greeter.read_text().replace("import ", 'import "away.proto";\nimport ', 1))
    greeter.write_text(
        greeter.read_text().replace("string name = 1;", "string name = 1;\n  far.away.v1.Thing thing = 2;")
    )
    (made / "contract/away.proto").write_text(_SECOND)
    for result in generate_with_little_room(made, mounted):
        print(json.dumps(result), flush=True)
