"""The generator: a new project, a run and a check that find nothing to do, and one added RPC, on contracts of four sizes."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from benchmarks import contracts, projects
from benchmarks.report import Bar, Row, Section, at_most

_SIZES = (10, 55, 100, 1000)
_JUDGED = 55  # the size that the bars are about
_NEW, _NO_OP, _ADDED = at_most(1.5, "s"), at_most(0.3, "s"), at_most(0.8, "s")


def run(folder: Path, *, quick: bool) -> Section:
    """Measure; `folder` is for contracts and projects."""
    rounds = 2 if quick else 5
    rows: list[Row] = []
    for size in _SIZES:
        rows += _rows(folder / str(size), size, 1 if size == max(_SIZES) else rounds, rounds)
    notes = (
        "wall time of the command, the interpreter's start included; medians",
        f"one service and file for each 10 RPCs, every RPC with a REST route; {rounds} rounds",
    )
    return Section("The generator", rows, notes)


def _rows(folder: Path, size: int, news: int, rounds: int) -> list[Row]:
    files = contracts.write(folder / "protos", size)
    new = [projects.new(folder / f"project{number}", files) for number in range(news)]
    project = folder / "project0"
    command = ("generate", "--project", str(project))
    unchanged = [projects.holdfast(*command) for _ in range(rounds)]
    check = [projects.holdfast("check", "--project", str(project)) for _ in range(rounds)]
    full = [projects.holdfast("check", "--full", "--project", str(project)) for _ in range(rounds)]
    added = []
    for number in range(rounds):
        contracts.write(project / "contract", size, more=number + 1)
        added.append(projects.holdfast(*command))
    judged = size == _JUDGED
    return [
        _row(f"{size} RPCs: holdfast new", new, _NEW if judged else None),
        _row(f"{size} RPCs: generate, nothing changed", unchanged, _NO_OP if judged else None),
        _row(f"{size} RPCs: check", check, _NO_OP if judged else None),
        _row(f"{size} RPCs: check --full", full),
        _row(f"{size} RPCs: generate, one RPC added", added, _ADDED if judged else None),
    ]


def _row(what: str, taken: list[float], bar: Bar | None = None) -> Row:
    return Row(what, f"{median(taken):.2f} s", bar=bar, judged=median(taken) if bar else None)
