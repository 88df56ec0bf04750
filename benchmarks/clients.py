"""What calls to a dependency cost: the chain of stages by itself, and calls over the wire beside a bare stub."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks import projects
from benchmarks.report import Row, Section, at_most
from benchmarks.servers import LOAD_CORE, ROOT, CannotRunError, environment, pinned, serving

_MICRO = 1e6


def run(folder: Path, *, quick: bool) -> Section:
    """Measure; `folder` is for the emitted project."""
    project = projects.shop(folder)
    rounds = 10 if quick else 40
    with serving([projects.bare_grpc(project, uvloop=True)]) as (server,):
        command = [sys.executable, "-m", "benchmarks.client_cost", str(server.port), f"--rounds={rounds}"]
        own = environment({"PYTHONPATH": f"{ROOT}:{project / 'src'}"})
        done = subprocess.run(
            pinned(LOAD_CORE, command), cwd=ROOT, env=own, check=False, capture_output=True, text=True
        )
    if done.returncode != 0:
        raise CannotRunError(done.stderr.strip().rpartition("\n")[2])
    found = json.loads(done.stdout)
    chain: dict[str, float] = {name: cost * _MICRO for name, cost in found["chain"].items()}
    wire: dict[str, float] = {name: cost * _MICRO for name, cost in found["wire"].items()}
    together = chain.pop("all")
    rows = [Row(name, f"{cost:.2f} µs") for name, cost in chain.items()]
    rows.append(Row("all, with a value to fall back on", f"{together:.2f} µs", bar=at_most(12, "µs"), judged=together))
    stub = wire.pop("stub")
    rows += [
        Row(
            f"a call by {name}",
            f"+{cost:.0f} µs",
            "a bare stub, same key and timeout",
            f"{stub:.0f} µs",
            ratio=1 + cost / stub,
        )
        for name, cost in wire.items()
    ]
    notes = (
        "CPU time: first what each stage adds to a call in process, then whole calls over a socket, the client's side of them",
        f"of {rounds} rounds the least, over a socket the median; the load of the machine was {os.getloadavg()[0]:.1f}",
    )
    return Section("Calls to a dependency", rows, notes)
