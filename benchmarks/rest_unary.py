"""Unary REST: the emitted service against servers by hand on the same uvicorn, and against Envoy's transcoder."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from benchmarks import projects
from benchmarks.message import JSON
from benchmarks.report import Row, Section, per_second, ratio_of_at_least
from benchmarks.servers import CannotRunError
from benchmarks.throughput import measure

_DEFAULT, _BARE = "emitted, default chain", "emitted, boundary only"
_RAW, _FASTAPI = "raw ASGI on uvicorn, same codec", "FastAPI + pydantic by hand"
_STARLETTE = "Starlette + json_format by hand"
_BARS = {(_DEFAULT, _RAW): 0.75, (_BARE, _RAW): 0.75, (_DEFAULT, _FASTAPI): 1.8, (_BARE, _FASTAPI): 2.5}


def run(folder: Path, *, quick: bool) -> Section:
    """Measure; `folder` is for the emitted projects."""
    if missing := [name for name in ("fastapi", "envoy") if find_spec(name) is None]:
        raise CannotRunError(f"{' and '.join(missing)} not installed: pip install 'holdfast[bench]'")
    project = projects.shop(folder)
    bare = projects.emitted(projects.bare_shop(folder), rest_port="PORT", log=False)
    peers = [
        replace(projects.emitted(project, rest_port="PORT"), name=_DEFAULT),
        replace(bare, name=_BARE),
        projects.hand_written(_RAW, "asgi_server", project),
        projects.hand_written(_FASTAPI, "fastapi_server", project),
        projects.hand_written(_STARLETTE, "starlette_server", project),
        projects.behind_envoy(project),
    ]
    rounds, seconds = (5, 0.6) if quick else (25, 0.6)  # many short ones: machines change their speed within seconds
    found = measure(peers, "rest_unary", connections=32, in_flight=1, rounds=rounds, seconds=seconds)
    rows = []
    for mine, emitted in zip(peers[:2], found[:2], strict=True):
        for peer, other in zip(peers[2:], found[2:], strict=True):
            ratio, least = emitted.over(other), _BARS.get((mine.name, peer.name))
            bar = None if least is None else ratio_of_at_least(least)
            shown, theirs = per_second(emitted.rate, emitted.cpu), per_second(other.rate, other.cpu)
            rows.append(Row(mine.name, shown, peer.name, theirs, ratio, bar, ratio, emitted.over_by_cpu(other)))
    notes = (
        f"one worker each, {len(JSON)}-byte body echoed, 32 keep-alive connections,",
        f"median of {rounds} alternating rounds of {seconds:g} s; only the emitted service has metrics and a log,",
        "with the boundary only it has neither, nor deadlines; Envoy shares its one core with the service behind it",
    )
    return Section("REST unary", rows, notes)
