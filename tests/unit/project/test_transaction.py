"""A write happens in full or not at all, whenever it is interrupted."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from generator.errors import InputError
from generator.project.exclusion import exclusive
from generator.project.transaction import PENDING, Write, is_interrupted, recover, write

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "PYTHONDONTWRITEBYTECODE": "1"}
OLD = {"a.txt": b"old a", "gone.txt": b"old gone"}
NEW = {"a.txt": b"new a", "made/deep/b.txt": b"new b"}
WRITES = [
    Write("a.txt", b"old a", b"new a"),
    Write("gone.txt", b"old gone", None),
    Write("made/deep/b.txt", None, b"new b"),
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, content in OLD.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def tree(project: Path) -> dict[str, bytes]:
    return {path.relative_to(project).as_posix(): path.read_bytes() for path in project.rglob("*") if path.is_file()}


def test_a_write_leaves_the_new_files_and_nothing_else(project: Path) -> None:
    write(project, WRITES)

    assert tree(project) == NEW
    assert recover(project) is None


# In the folder `<n>`, a write that is killed at the nth event of the file system that Python audits, n from 1 until one
# comes to its end.
KILLED = textwrap.dedent("""
    import os, signal, sys
    from pathlib import Path
    from generator.project.transaction import Write, write

    def killed_at(moment):
        left = moment

        def count(event, arguments):
            nonlocal left
            if event.split(".")[0] in ("open", "os", "shutil"):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        project = Path(sys.argv[1], str(moment))
        project.mkdir()
        (project / "a.txt").write_bytes(b"old a")
        (project / "gone.txt").write_bytes(b"old gone")
        writes = [
            Write("a.txt", b"old a", b"new a"),
            Write("gone.txt", b"old gone", None),
            Write("made/deep/b.txt", None, b"new b"),
        ]
        sys.addaudithook(count)
        write(project, writes)
        os._exit(0)

    for moment in range(1, 1000):
        child = os.fork()
        if child == 0:
            killed_at(moment)
        if os.waitpid(child, 0)[1] == 0:
            break
""")


def test_a_write_killed_at_any_moment_is_finished_or_undone_by_the_next_command(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=True, env=ENVIRONMENT)

    outcomes = []
    for project in tmp_path.iterdir():
        recover(project)
        assert not is_interrupted(project)
        outcomes.append(tree(project))

    assert all(outcome in (OLD, NEW) for outcome in outcomes)
    assert outcomes.count(OLD) > 10
    assert outcomes.count(NEW) > 5


def interrupted(project: Path) -> None:
    """Leaves the project as a crash does that comes just after the journal."""
    source = """
import os, sys
from pathlib import Path
from generator.project.transaction import Write, write

def crash(event, arguments):
    if event == "os.rename" and str(arguments[1]).endswith("a.txt"):
        os._exit(9)

sys.addaudithook(crash)
write(Path(sys.argv[1]), [Write("a.txt", b"old a", b"new a")])
"""
    done = subprocess.run([sys.executable, "-c", source, str(project)], check=False, env=ENVIRONMENT)
    assert done.returncode == 9


def test_a_file_that_was_changed_since_the_crash_is_left_alone(project: Path) -> None:
    interrupted(project)
    (project / "a.txt").write_bytes(b"mine")

    assert recover(project) == 0
    assert (project / "a.txt").read_bytes() == b"mine"


def test_a_staged_file_that_a_power_cut_truncated_is_not_used(project: Path) -> None:
    interrupted(project)
    (project / PENDING / "0.new").write_bytes(b"ne")

    assert recover(project) == 0
    assert (project / "a.txt").read_bytes() == b"old a"


@pytest.mark.parametrize("path", ["../out.txt", "/out.txt", ".git/config"])
def test_a_journal_cannot_name_files_outside_the_project(project: Path, path: str) -> None:
    interrupted(project)
    journal = project / PENDING / "journal.json"
    journal.write_text(journal.read_text().replace("a.txt", path))

    with pytest.raises(InputError, match="unsafe-path"):
        recover(project)


@pytest.mark.parametrize("journal", [b"", b"{}", b"[[1, 2, 3]]", b'[["a"]]', b"\xff"])
def test_a_journal_that_is_none_is_told(project: Path, journal: bytes) -> None:
    (project / PENDING).mkdir(parents=True)
    (project / PENDING / "journal.json").write_bytes(journal)

    with pytest.raises(InputError, match="journal-unreadable"):
        recover(project)


def test_a_failure_half_way_puts_everything_back(project: Path) -> None:
    source = """
import errno, sys
from pathlib import Path
from generator.errors import InputError
from generator.project.transaction import Write, write

full = [True]

def refuse(event, arguments):
    if event == "os.rename" and str(arguments[1]).endswith("b.txt") and full:
        full.clear()
        raise OSError(errno.ENOSPC, "No space left on device")

sys.addaudithook(refuse)
try:
    write(
        Path(sys.argv[1]),
        [
            Write("a.txt", b"old a", b"new a"),
            Write("gone.txt", b"old gone", None),
            Write("made/deep/b.txt", None, b"new b"),
        ],
    )
except InputError as error:
    print(error)
"""
    command = [sys.executable, "-c", source, str(project)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=ENVIRONMENT)

    assert done.stdout.endswith(": cannot-write: no space left on device\n")
    assert tree(project) == OLD
    assert not is_interrupted(project)
    assert not (project / "made").exists()


def test_a_full_disk_is_one_finding_and_changes_nothing(project: Path) -> None:
    source = """
import resource, signal, sys
from pathlib import Path
from generator.errors import InputError
from generator.project.transaction import Write, write

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    write(Path(sys.argv[1]), [Write("a.txt", b"old a", b"new a"), Write("big.txt", None, b"x" * 1000)])
except InputError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", source, str(project)],
        check=True,
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
    )

    assert "cannot-write: file too large" in done.stdout
    assert tree(project) == OLD


def test_two_commands_do_not_write_at_once(project: Path) -> None:
    source = """
import sys
from pathlib import Path
from generator.project.exclusion import exclusive
print("waiting", flush=True)
with exclusive(Path(sys.argv[1])):
    print("in", flush=True)
"""
    with exclusive(project):
        other = subprocess.Popen(
            [sys.executable, "-c", source, str(project)],
            stdout=subprocess.PIPE,
            env=ENVIRONMENT,
        )
        assert other.stdout is not None
        assert other.stdout.readline() == b"waiting\n"
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(timeout=0.3)
    out, _ = other.communicate(timeout=30)
    assert out == b"in\n"
