"""A generation that is killed, at whatever moment, leaves the project as it was, or for the next command to finish."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from generator.project.new import Request, new

ROOT = Path(__file__).parents[3]
PROGRAM = Path(__file__).with_name("killed_generations.py")
KILLS = 2_000 if os.environ.get("HYPOTHESIS_PROFILE") == "fuzz" else 200
PARTS = 4  # which may run at once


@pytest.mark.parametrize("part", range(PARTS))
def test_a_generation_killed_at_a_random_moment_is_all_or_nothing(tmp_path: Path, part: int) -> None:
    project = tmp_path / "demo"
    new(Request(project))
    settings = project / "pyproject.toml"  # RPCs come and go
    settings.write_text(settings.read_text().replace("[tool.holdfast]\n", '[tool.holdfast]\nbreaking = "NONE"\n'))
    command = [sys.executable, PROGRAM, project, str(part), str(KILLS // PARTS)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)

    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    states = Counter(outcome["state"] for outcome in outcomes)
    assert len(outcomes) == KILLS // PARTS
    assert states["torn"] == 0
    assert states["old"] > 5
    assert states["pending"] > 5
    assert all(outcome["in order"] for outcome in outcomes)
    assert all(outcome["said"] == (outcome["state"] == "pending") for outcome in outcomes)
