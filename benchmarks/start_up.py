"""Start-up to the first answered call, and resident memory after it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from statistics import median

from benchmarks import projects
from benchmarks.first_call import first_call
from benchmarks.report import Row, Section
from benchmarks.servers import LOAD_CORE, Peer, start


def run(folder: Path, *, quick: bool) -> Section:
    """Measure; `folder` is for the emitted project."""
    project = projects.shop(folder)
    peers = [projects.emitted(project, grpc_port="PORT"), projects.bare_grpc(project, uvloop=False)]
    rounds = 3 if quick else 15
    seconds: list[list[float]] = [[] for _ in peers]
    memory: list[list[float]] = [[] for _ in peers]
    _stay_on(LOAD_CORE)
    for number in range(-1, rounds):  # the first round only writes bytecode and fills the page cache
        for turn, peer in enumerate(peers):
            took, resident = _once(peer)
            if number >= 0:
                seconds[turn].append(took)
                if resident is not None:
                    memory[turn].append(resident)
    ours, theirs = (median(taken) for taken in seconds)
    shown, other = f"{ours * 1000:.0f} ms", f"{theirs * 1000:.0f} ms"
    rows = [Row("start to first answered call, emitted", shown, peers[1].name, other, ours / theirs)]
    if all(memory):
        held, bare = (median(kept) for kept in memory)
        figures = f"{held:.1f} MiB", f"{bare:.1f} MiB"
        rows.append(Row("resident memory, emitted", figures[0], peers[1].name, figures[1], held / bare))
    notes = (
        f"from the process's start to the answer of one gRPC call, median of {rounds} alternating starts;",
        "the emitted service opens three ports: gRPC with health and reflection, REST, admin",
    )
    return Section("Start-up and memory", rows, notes)


def _once(peer: Peer) -> tuple[float, float | None]:
    """Seconds from start to the first answer, and MiB held then."""
    began = time.perf_counter()
    server = start(peer)
    try:
        first_call(server)
        return time.perf_counter() - began, server.resident_mib()
    finally:
        server.stop()


def _stay_on(core: int) -> None:
    """Keep this process, which measures, off the servers' core where the system allows."""
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_setaffinity") and cores > 1:
        os.sched_setaffinity(0, {core % cores})
