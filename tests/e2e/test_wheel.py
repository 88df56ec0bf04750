"""The wheel carries all the generator needs, and nothing outside its package."""

import os
import site
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from generator import __version__, resources


def run(*command: str | Path, cwd: Path) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run([*map(str, command)], cwd=cwd, env=environment, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, resources.root(), cwd=out)
    (found,) = out.glob("*.whl")
    return found


def test_a_wheel_has_one_package_and_no_caches(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()

    assert {name.split("/")[0] for name in names} == {"generator", f"holdfast-{__version__}.dist-info"}
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    for needed in (
        "copier.yml",
        "schemas/lock.v1.schema.json",
        "templates/python/runtime/call.py",
        "templates/python/skeleton/.gitignore",
        "templates/python/skeleton/.github/workflows/ci.yml",
        "templates/python/skeleton/{{_copier_conf.answers_file}}.jinja",
        "templates/python/starter/greeter.proto",
    ):
        assert f"generator/{needed}" in names


def test_an_installed_wheel_makes_a_project_from_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    environment, empty = tmp_path / "venv", tmp_path / "empty"
    empty.mkdir()
    venv.create(environment, with_pip=False, symlinks=True)
    binaries = environment / "bin"
    scheme = {"base": str(environment), "platbase": str(environment)}
    packages = Path(sysconfig.get_path("purelib", "venv", vars=scheme))
    # The dependencies are those installed here: what is tested is the wheel.
    own = [path for path in (*site.getsitepackages(), sysconfig.get_path("purelib")) if Path(path).is_dir()]
    (packages / "dependencies.pth").write_text("".join(f"{path}\n" for path in dict.fromkeys(own)))
    python = binaries / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", "--quiet")
    run(*pip, "install", "--no-deps", "--no-index", "--force-reinstall", wheel, cwd=empty)

    assert run(binaries / "holdfast", "--version", cwd=empty) == f"holdfast {__version__}\n"
    run(binaries / "holdfast", "new", "shop", "--defaults", cwd=empty)
    run(binaries / "holdfast", "check", "--project", "shop", cwd=empty)

    located = run(python, "-c", "import generator; print(generator.__file__)", cwd=empty)
    assert Path(located.strip()).is_relative_to(packages)
    assert sorted(path.name for path in empty.iterdir()) == ["shop"]
    assert "_src_path" not in (empty / "shop/.copier-answers.yml").read_text()
