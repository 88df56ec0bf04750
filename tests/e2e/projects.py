"""Emits projects by the command line, as a user would, and runs them as processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"

_IMPORT_EVERYTHING = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
    if not module.name.endswith(".__main__"):
        importlib.import_module(module.name)
"""


def holdfast(
    *arguments: str | Path, cwd: Path = ROOT, environment: Mapping[str, str] | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """The command with these arguments, without a terminal; `options` are subprocess.run's."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **(environment or {})}
    command = [sys.executable, "-m", "generator", *map(str, arguments)]
    return subprocess.run(
        command,
        cwd=cwd,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def emit(
    dest: Path,
    contracts: Sequence[str | Path],
    *,
    include: Sequence[Path] = (),
    spec: Path | None = None,
    configs: Sequence[Path] = (),
) -> Path:
    """The project made of these inputs in the new folder `dest`; fails with what the command says."""
    arguments: list[str | Path] = ["new", dest, "--defaults"]
    for contract in contracts:
        arguments += ["--contract", contract]
    for folder in include:
        arguments += ["-I", folder]
    if spec is not None:
        arguments += ["--spec", spec]
    for config in configs:
        arguments += ["--service-config", config]
    done = holdfast(*arguments)
    assert done.returncode == 0, done.stderr
    return dest


def run_in(project: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """`python` with these arguments in the project, as its user would run it: of pytest's plugins there is its own.

    (Those of our environment take three seconds to load.)
    """
    plugins = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "pytest_asyncio.plugin"}
    variables = {**os.environ, "PYTHONPATH": str(project / "src"), "PYTHONDONTWRITEBYTECODE": "1", **plugins}
    variables.pop("PYTEST_ADDOPTS", None)
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(
        command, cwd=project, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def in_project(project: Path, *arguments: str | Path) -> str:
    """What `run_in` prints, warnings as errors; fails where that fails."""
    done = run_in(project, "-W", "error", *arguments)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-20_000:]
    return done.stdout


def import_everything(project: Path, package: str) -> None:
    """Imports every module of the project's package, each once; fails where one cannot be."""
    in_project(project, "-c", _IMPORT_EVERYTHING, package)


@dataclass(frozen=True, slots=True)
class Process:
    """A service that serves; its ports are on 127.0.0.1."""

    process: subprocess.Popen[str]
    grpc_port: int
    rest_port: int
    admin_port: int

    @property
    def grpc(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    @property
    def rest(self) -> str:
        return f"http://127.0.0.1:{self.rest_port}"

    @property
    def admin(self) -> str:
        return f"http://127.0.0.1:{self.admin_port}"


@contextmanager
def serving(project: Path, package: str, environment: Mapping[str, str] | None = None) -> Iterator[Process]:
    """The project's service as a process, with warnings as errors; told to stop at the end, which it must do well."""
    variables = {
        **os.environ,
        **dict.fromkeys(("GRPC_PORT", "REST_PORT", "ADMIN_PORT"), "0"),
        "HOST": "127.0.0.1",
        "PYTHONPATH": str(project / "src"),
        **(environment or {}),
    }
    log = project / "service.log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", package],
            cwd=project,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    with process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, log.read_text()
            ports = json.loads(line)
            yield Process(process, ports["grpc_port"], ports["rest_port"], ports["admin_port"])
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0, log.read_text()
        finally:
            process.kill()
