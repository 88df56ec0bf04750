"""Finding a REST route among ten, a hundred and a thousand."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks import projects
from benchmarks.report import Bar, Row, Section
from benchmarks.servers import output

_MICRO = 1e6
_AT_MOST = 1.5  # times what it takes among ten: a larger table is colder in the processor's caches


def run(folder: Path, *, quick: bool) -> Section:
    """Measure; `folder` is for the emitted project."""
    project = projects.shop(folder)
    rounds = 5 if quick else 20
    measured = json.loads(output(project, "-m", "benchmarks.routing_cost", f"--rounds={rounds}"))
    costs = {int(size): cost for size, cost in measured.items()}
    few = min(costs)
    rows = [Row(f"among {few}", _shown(costs[few]))]
    for size in sorted(costs)[1:]:
        ratio = costs[size] / costs[few]
        bar = Bar(_AT_MOST, f"≤ {_AT_MOST}×", at_least=False)
        rows.append(Row(f"among {size:,}", _shown(costs[size]), f"among {few}", _shown(costs[few]), ratio, bar, ratio))
    note = f"CPU time of a look-up by HTTP method and path, five routes a resource; least of {rounds} rounds of 5,000"
    return Section("Routes", rows, (note,))


def _shown(seconds: float) -> str:
    return f"{seconds * _MICRO:.2f} µs"
