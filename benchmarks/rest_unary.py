"""Unary REST: the emitted service against FastAPI and pydantic by hand, and raw ASGI for scale."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from benchmarks import projects
from benchmarks.message import JSON
from benchmarks.report import Row, Section, per_second
from benchmarks.servers import CannotRunError
from benchmarks.throughput import measure


def run(folder: Path, *, quick: bool) -> Section:
    """Measure; `folder` is for the emitted project."""
    if find_spec("fastapi") is None:
        raise CannotRunError("fastapi is not installed: pip install 'holdfast[bench]'")
    project = projects.shop(folder)
    peers = [
        projects.emitted(project, rest_port="PORT"),
        projects.hand_written("FastAPI + pydantic by hand", "fastapi_server"),
        projects.hand_written("raw ASGI on uvicorn, orjson", "asgi_server"),
    ]
    rounds, seconds = (3, 1.0) if quick else (7, 2.0)
    emitted, *others = measure(peers, "rest_unary", connections=32, in_flight=1, rounds=rounds, seconds=seconds)
    rows = []
    for peer, other in zip(peers[1:], others, strict=True):
        shown, theirs = per_second(emitted.rate, emitted.cpu), per_second(other.rate, other.cpu)
        rows.append(Row("emitted, default chain", shown, peer.name, theirs, emitted.over(other)))
    notes = (
        f"one worker each, {len(JSON)}-byte body echoed, 32 keep-alive connections,",
        f"median of {rounds} alternating rounds of {seconds:g} s; only the emitted service has metrics and a log",
    )
    return Section("REST unary", rows, notes)
