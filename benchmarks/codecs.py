"""JSON codecs and bindings: an order from JSON and back, a request from its query, and the import of a large contract's codecs."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks import contracts, projects
from benchmarks.message import JSON
from benchmarks.report import Row, Section, at_most, ratio_of_at_least
from benchmarks.servers import output

_MICRO = 1e6
_RPCS = 1000
_IMPORT = """
import importlib, time
from {package}.gen import codecs
began = time.perf_counter()
for module in dict.fromkeys(codecs._MODULES.values()):
    importlib.import_module(module, codecs.__name__)
print(time.perf_counter() - began)
"""


def run(folder: Path, *, quick: bool) -> Section:
    """Measure; `folder` is for the emitted projects."""
    project = projects.shop(folder)
    rounds = 5 if quick else 20
    costs: dict[str, float] = json.loads(output(project, "-m", "benchmarks.codec_cost", f"--rounds={rounds}"))
    rows = [
        _row("read", "generated", costs),
        _row("written", "generated", costs),
        _row("read and written", "generated", costs, bar=3.4),
        _row("read and written", "by descriptor", costs),
        _row("bound", "generated", costs),
        *_import_rows(folder),
    ]
    notes = (
        f"CPU time of an order of {len(JSON)} bytes, nested, with a map and an enum; least of {rounds} rounds of 2,000 calls",
        "bound: a request of a path with one variable and a query with six parameters; by json_format with parse_qs before it",
        f"imported: the codecs of a contract of {_RPCS:,} RPCs, as many messages; with bytecode, as installed, and without",
    )
    return Section("JSON codecs", rows, notes)


def _row(what: str, way: str, costs: dict[str, float], bar: float | None = None) -> Row:
    verb = {"read": "read", "written": "write", "bound": "bind"}.get(what, "both")
    ours, theirs = costs[f"{way} {verb}"], costs[f"json_format {verb}"]
    return Row(
        f"{what}, {way}",
        f"{ours * _MICRO:.1f} µs",
        "json_format",
        f"{theirs * _MICRO:.1f} µs",
        theirs / ours,
        None if bar is None else ratio_of_at_least(bar),
        None if bar is None else theirs / ours,
    )


def _import_rows(folder: Path) -> list[Row]:
    project = folder / "large"
    projects.new(project, contracts.write(folder / "protos", _RPCS))
    cold, warm = (float(output(project, "-c", _IMPORT.format(package="large"))) for _ in range(2))
    return [
        Row("imported, with bytecode", f"{warm:.2f} s", bar=at_most(0.5, "s"), judged=warm),
        Row("imported, without", f"{cold:.2f} s"),
    ]
