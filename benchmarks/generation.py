"""The generator: a new project, a run that changes nothing, and one added RPC, on contracts of three sizes."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from benchmarks import contracts, projects
from benchmarks.report import Row, Section, at_most

_SIZES = (10, 100, 1000)
_NO_OP = at_most(0.4, "s")


def run(folder: Path, *, quick: bool) -> Section:
    """Measure; `folder` is for contracts and projects."""
    rounds = 2 if quick else 5
    rows: list[Row] = []
    for size in _SIZES:
        rows += _rows(folder / str(size), size, 1 if size == max(_SIZES) else rounds, rounds)
    notes = (
        "wall time of the command, the interpreter's start included; medians",
        f"one service and file for each 10 RPCs, every RPC with a REST route; {rounds} rounds;",
        "nothing remembered: as on a machine that has not generated the project before",
    )
    return Section("The generator", rows, notes)


def _rows(folder: Path, size: int, news: int, rounds: int) -> list[Row]:
    files = contracts.write(folder / "protos", size)
    records = str(folder / "records")
    new = [projects.new(folder / f"project{number}", files, records=records) for number in range(news)]
    project = folder / "project0"
    command = ("generate", "--project", str(project))
    unchanged = [projects.holdfast(*command, records=records) for _ in range(rounds)]
    in_full = [projects.holdfast(*command) for _ in range(rounds)]
    added = []
    for number in range(rounds):
        contracts.write(project / "contract", size, more=number + 1)
        added.append(projects.holdfast(*command, records=records))
    judged = median(unchanged)
    return [
        Row(f"{size} RPCs: holdfast new", _seconds(new)),
        Row(f"{size} RPCs: generate, nothing changed", _seconds(unchanged), bar=_NO_OP, judged=judged),
        Row(f"{size} RPCs: the same, nothing remembered", _seconds(in_full)),
        Row(f"{size} RPCs: generate, one RPC added", _seconds(added)),
    ]


def _seconds(taken: list[float]) -> str:
    return f"{median(taken):.2f} s"
