"""Commands that meet in one project take turns, and one that dies in it does not keep the others out."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from generator.cli import main
from generator.project.exclusion import exclusive
from generator.project.new import Request, new

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
HOLDER = """
import sys, signal
from pathlib import Path
from generator.project.exclusion import exclusive
with exclusive(Path(sys.argv[1])):
    print("in", flush=True)
    signal.pause()
"""


def test_generations_that_start_together_all_end_well(tmp_path: Path) -> None:
    project = tmp_path / "demo"
    new(Request(project))
    proto = project / "contract/greeter.proto"
    proto.write_text(proto.read_text().replace("// Whom to greet.", "message More {}\n// Whom to greet."))
    command = [sys.executable, "-m", "generator", "generate", "--project", project]
    started = [
        subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)
    ]
    said = [process.communicate(timeout=120) for process in started]

    assert [process.returncode for process in started] == [0, 0, 0]
    assert [error for _, error in said] == [b"", b"", b""]
    assert sorted(out.startswith(b"nothing to do") for out, _ in said) == [False, True, True]
    assert main(["check", "--full", "--quiet", "--project", str(project)]) == 0


def test_a_command_that_was_killed_keeps_nobody_out(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], env=ENVIRONMENT, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"in\n"
    holder.send_signal(signal.SIGKILL)
    holder.communicate()

    with exclusive(tmp_path):
        assert not list(tmp_path.iterdir())
