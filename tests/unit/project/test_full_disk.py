"""On a disk that runs full, a generation is one finding and the project is as it was."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from generator.project.new import Request, new

ROOT = Path(__file__).parents[3]
PROGRAM = Path(__file__).with_name("full_disk.py")
APART = ["unshare", "--map-root-user", "--mount"]


def test_a_generation_on_a_full_disk_changes_nothing(tmp_path: Path) -> None:
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    trial = [*APART, "mount", "-t", "tmpfs", "none", mounted]
    tried = subprocess.run(trial, check=False, capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"needs to mount a file system of its own, as root or in a user namespace: {tried.stderr.strip()}")
    new(Request(tmp_path / "demo"))
    command = [*APART, sys.executable, PROGRAM, tmp_path / "demo", mounted]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)

    for kind in ("size", "nr_inodes"):
        outcomes = [outcome for outcome in map(json.loads, done.stdout.splitlines()) if outcome["kind"] == kind]
        *full, enough = outcomes
        assert len(full) > 5
        assert enough["exit code"] == 0
        assert {outcome["exit code"] for outcome in full} == {1}
        assert all(outcome["error"].endswith(": cannot-write: no space left on device\n") for outcome in full)
        assert all(outcome["error"].count("\n") == 1 for outcome in full)
        assert all(outcome["left alone"] for outcome in full)
