"""What the default chain costs: CPU time of each stage and of all of them, in process, on a wire that does nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks import projects
from benchmarks.report import Row, Section, at_most
from benchmarks.servers import LOAD_CORE, ROOT, CannotRunError, environment, pinned

_MICRO = 1e6


def run(folder: Path, *, quick: bool) -> Section:
    """Measure; `folder` is for the emitted project."""
    project = projects.shop(folder)
    rounds = 10 if quick else 60
    command = [sys.executable, "-m", "benchmarks.chain_cost", f"--rounds={rounds}"]
    own = environment({"PYTHONPATH": f"{ROOT}:{project / 'src'}"})
    done = subprocess.run(pinned(LOAD_CORE, command), cwd=ROOT, env=own, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise CannotRunError(done.stderr.strip().rpartition("\n")[2])
    costs: dict[str, float] = json.loads(done.stdout)
    together = costs.pop("") * _MICRO
    rows = [Row(name, f"{cost * _MICRO:.2f} µs") for name, cost in costs.items()]
    rows.append(Row("all together", f"{together:.2f} µs", bar=at_most(15, "µs"), judged=together))
    notes = (
        "CPU time that a stage adds to a call; the log is written to /dev/null, no tracer is configured",
        f"least of {rounds} rounds of some 2,000 calls",
    )
    return Section("Stages of the default chain", rows, notes)
