"""A `new` that is killed leaves nothing that the next one does not clear up or finish."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from generator.cli import main

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
# Kills or stops itself at the n-th event of a kind, among those that Python audits, that is about the folder aside;
# of renaming, at the n-th that leads out of it.
INTERRUPTED = """
import os, signal, sys
from generator.cli import main
kind, left, how = sys.argv[1], int(sys.argv[2]), getattr(signal, sys.argv[3])
def count(event, arguments):
    global left
    inside = [".holdfast-new-" in str(argument) for argument in arguments]
    if event == kind and inside[0] and not (kind == "os.rename" and inside[1]):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), how)
sys.addaudithook(count)
sys.exit(main(["new", *sys.argv[4:], "--defaults", "--quiet"]))
"""


def interrupted(where: Path, dest: str, kind: str, moment: int, how: str = "SIGKILL") -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", INTERRUPTED, kind, str(moment), how, dest]
    return subprocess.Popen(command, cwd=where, env=ENVIRONMENT, stderr=subprocess.PIPE)


def killed(where: Path, dest: str, kind: str, moment: int) -> None:
    process = interrupted(where, dest, kind, moment)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("kind", "moment"), [("os.mkdir", 3), ("open", 30)])
def test_what_a_killed_one_left_is_gone_after_the_next(here: Path, kind: str, moment: int) -> None:
    killed(here, "shop", kind, moment)
    (left,) = names(here)
    assert left.startswith(".holdfast-new-")

    assert main(["new", "shop", "--defaults", "--quiet"]) == 0
    assert names(here) == ["shop"]


def test_one_that_was_being_moved_into_place_is_finished(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "shop/.git").mkdir(parents=True)
    killed(here, "shop", "os.rename", 4)
    assert len(names(here / "shop")) > 2

    assert main(["new", "shop", "--defaults"]) == 1
    assert capsys.readouterr().err == (
        "shop: destination-not-empty: a `holdfast new` that was interrupted is finished now: the project is there; "
        "run `holdfast generate` in it\n"
    )
    assert not [name for name in names(here / "shop") if name.startswith(".holdfast-new-")]
    assert main(["check", "--full", "--project", "shop"]) == 0
    assert main(["new", "other", "--name", "shop", "--defaults", "--quiet"]) == 0
    assert names(here / "shop") == sorted([*names(here / "other"), ".git"])


def test_one_that_is_at_work_is_left_alone(here: Path) -> None:
    process = interrupted(here, "first", "open", 30, "SIGSTOP")
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    assert main(["new", "second", "--defaults", "--quiet"]) == 0
    process.send_signal(signal.SIGCONT)
    assert process.communicate() == (None, b"")
    assert process.returncode == 0
    assert names(here) == ["first", "second"]
