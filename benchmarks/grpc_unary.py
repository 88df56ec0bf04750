"""Unary gRPC: the emitted service with its default chain against a bare grpc.aio server with the same handler."""

from __future__ import annotations

from pathlib import Path

from benchmarks import projects
from benchmarks.message import BINARY
from benchmarks.report import Row, Section, per_second, ratio_of_at_least
from benchmarks.throughput import measure

_BAR = ratio_of_at_least(0.90)  # of grpc.aio as it is; what uvloop alone gains is shown for itself


def run(folder: Path, *, quick: bool) -> Section:
    """Measure; `folder` is for the emitted project."""
    project = projects.shop(folder)
    peers = [
        projects.emitted(project, grpc_port="PORT"),
        projects.bare_grpc(project, uvloop=False),
        projects.bare_grpc(project, uvloop=True),
    ]
    rounds, seconds = (5, 0.6) if quick else (25, 0.6)  # many short ones: machines change their speed within seconds
    emitted, *others = measure(peers, "grpc_unary", connections=4, in_flight=8, rounds=rounds, seconds=seconds)
    rows = []
    for peer, other, bar in zip(peers[1:], others, (_BAR, None), strict=True):
        ratio = emitted.over(other)
        shown, theirs = per_second(emitted.rate, emitted.cpu), per_second(other.rate, other.cpu)
        rows.append(
            Row("emitted, default chain", shown, peer.name, theirs, ratio, bar, ratio, emitted.over_by_cpu(other))
        )
    notes = (
        f"one worker each, {len(BINARY)}-byte message echoed, 32 calls in flight on 4 connections,",
        f"median of {rounds} alternating rounds of {seconds:g} s; metrics and access log on, as by default",
    )
    return Section("gRPC unary", rows, notes)
