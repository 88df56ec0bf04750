"""A project is spared a run only while nothing of it, and nothing that makes it, has changed."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from generator.cli import main
from generator.project import record

ROOT = Path(__file__).parents[3]
FILES = ["pyproject.toml", "contract/a.proto", "src/p/gen/a.py", ".holdfast/lock.yaml"]
FOLDERS = ["contract", "src/p/gen", ".holdfast"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(record.VARIABLE, str(tmp_path / "records"))
    project = tmp_path / "project"
    for file in FILES:
        (project / file).parent.mkdir(parents=True, exist_ok=True)
        (project / file).write_text(file)
    return project


def test_a_project_that_nobody_remembers_is_not_known(project: Path) -> None:
    assert record.current(project) is None


def test_a_project_as_it_was_remembered_is_known(project: Path) -> None:
    record.remember(project, FILES, FOLDERS, 7)
    assert record.current(project) == 7


def link(project: Path) -> None:
    file = project / "src/p/gen/a.py"
    file.rename(project / "elsewhere.py")
    file.symlink_to(project / "elsewhere.py")


def link_folder(project: Path) -> None:
    (project / "src/p/gen").rename(project / "elsewhere")
    (project / "src/p/gen").symlink_to(project / "elsewhere")


def same_size_same_time(project: Path) -> None:
    file = project / "src/p/gen/a.py"
    before = file.stat()
    file.write_text(file.read_text()[::-1])
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda project: (project / "contract/a.proto").write_text("x"), id="an input"),
        pytest.param(same_size_same_time, id="an emitted file, its size and time kept"),
        pytest.param(lambda project: (project / "src/p/gen/a.py").unlink(), id="an emitted file that is gone"),
        pytest.param(lambda project: (project / "src/p/gen/b.py").touch(), id="a file that nothing emitted"),
        pytest.param(lambda project: (project / "contract/google").mkdir() or _touch(project), id="a new import"),
        pytest.param(lambda project: (project / ".holdfast/pending").touch(), id="an interrupted run"),
        pytest.param(link, id="a link in a file's place"),
        pytest.param(link_folder, id="a link in a folder's place"),
    ],
)
def test_a_change_makes_it_unknown(project: Path, change: Callable[[Path], object]) -> None:
    record.remember(project, FILES, FOLDERS, 7)
    change(project)
    assert record.current(project) is None


def _touch(project: Path) -> None:
    (project / "contract/google/b.proto").touch()


def test_another_set_of_packages_makes_it_unknown(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record.remember(project, FILES, FOLDERS, 7)
    (tmp_path / "site/black-99.dist-info").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert record.current(project) is None


def test_a_record_that_cannot_be_read_is_none(project: Path, tmp_path: Path) -> None:
    record.remember(project, FILES, FOLDERS, 7)
    for file in (tmp_path / "records").iterdir():
        file.write_text('{"version": 1, "files": 3}')
    assert record.current(project) is None


def test_records_can_be_turned_off(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record.remember(project, FILES, FOLDERS, 7)
    monkeypatch.setenv(record.VARIABLE, "off")
    assert record.current(project) is None


def test_old_records_make_room(project: Path, tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    for number in range(80):
        (tmp_path / f"records/{number}.json").touch()
        os.utime(tmp_path / f"records/{number}.json", (number, number))
    record.remember(project, FILES, FOLDERS, 7)
    assert record.current(project) == 7
    assert len(list((tmp_path / "records").iterdir())) == 64


def test_a_spared_run_says_what_a_full_one_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tmp_path / "shop"
    monkeypatch.setenv(record.VARIABLE, str(tmp_path / "records"))
    assert main(["new", str(project), "--defaults"]) == 0
    capsys.readouterr()
    assert record.current(project)
    spared = main(["generate", "--project", str(project)]), main(["check", "--project", str(project)])
    said = capsys.readouterr()
    monkeypatch.setenv(record.VARIABLE, "off")
    assert (main(["generate", "--project", str(project)]), main(["check", "--project", str(project)])) == spared
    assert capsys.readouterr() == said


def test_what_was_edited_by_hand_is_found_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "shop"
    monkeypatch.setenv(record.VARIABLE, str(tmp_path / "records"))
    assert main(["new", str(project), "--defaults"]) == 0
    with (project / "src/shop/gen/routes.py").open("a") as file:
        file.write("# mine\n")
    assert main(["generate", "--project", str(project)]) == 1
    assert main(["check", "--project", str(project)]) == 11


def test_a_spared_run_loads_none_of_what_takes_long_to_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "shop"
    monkeypatch.setenv(record.VARIABLE, str(tmp_path / "records"))
    made = subprocess.run([sys.executable, "-m", "generator", "new", str(project), "--defaults"], cwd=ROOT, check=False)
    assert made.returncode == 0
    command = [sys.executable, "-X", "importtime", "-m", "generator", "generate", "--project", str(project)]
    loaded = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stderr
    modules = {line.rpartition("|")[2].strip().partition(".")[0] for line in loaded.splitlines()}
    assert "generator" in modules
    assert modules.isdisjoint({"black", "copier", "google", "grpc_tools", "jinja2", "pydantic", "rich", "yaml"})
