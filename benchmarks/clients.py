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
    together = chain.pop("all")
    rows = [Row(name, f"{cost:.2f} µs") for name, cost in chain.items()]
    rows.append(Row("all, with a value to fall back on", f"{together:.2f} µs", bar=at_most(12, "µs"), judged=together))
    rows += [row for count, wire in found["wire"].items() for row in _over_a_socket(count, wire)]
    notes = (
        "CPU time: first what each stage adds to a call in process, then whole calls over a socket, the client's side of them,",
        "one after the other and 32 at once; the bare stub sends the same key, with the same timeout",
        f"of {rounds} rounds the least, over a socket the median; the load of the machine was {os.getloadavg()[0]:.1f}",
    )
    return Section("Calls to a dependency", rows, notes)


def _over_a_socket(at_once: str, wire: dict[str, float]) -> list[Row]:
    """What calls take beyond those of the stub, so many at once."""
    stub = wire.pop("stub") * _MICRO
    peer = "a bare stub" if at_once == "1" else f"a bare stub, {at_once} at once"
    return [
        Row(f"a call by {name}", f"+{cost * _MICRO:.0f} µs", peer, f"{stub:.0f} µs", ratio=1 + cost * _MICRO / stub)
        for name, cost in wire.items()
    ]
