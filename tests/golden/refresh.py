"""`make examples`: brings examples/orders/project and the golden files up to date; the diff is for review."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.golden import cases, orders_project


def write(folder: Path, files: Mapping[str, bytes], present: Mapping[str, bytes]) -> None:
    """Makes the folder hold these files, given what it holds; writes only what differs."""
    for path in present.keys() - files.keys():
        (folder / path).unlink()
    for path, content in files.items():
        if present.get(path) != content:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)


if __name__ == "__main__":
    write(orders_project.PROJECT, orders_project.expected(), orders_project.committed())
    for case in cases.CASES:
        write(case.folder, case.emitted(), case.golden())
