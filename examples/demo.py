"""The two-minute tour: emits examples/orders into .demo, runs it, calls it both ways, and stops it under load.

Needs nothing but Python 3.11: it makes a virtual environment of its own in .demo.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / ".demo"
VENV = DEMO / "venv"
BIN = VENV / ("Scripts" if sys.platform == "win32" else "bin")
PROJECT = DEMO / "orders"
EXAMPLE = ROOT / "examples" / "orders"


def main() -> int:
    """Run the tour; the exit code is the first failing command's."""
    if sys.version_info < (3, 11):  # noqa: UP036 - whatever python3 is runs this file
        print("Python 3.11 or newer is needed: make demo PYTHON=python3.12", file=sys.stderr)
        return 1
    try:
        install()
        emit()
        run(BIN / "python", EXAMPLE / "tour.py", PROJECT, quiet=True)
    except subprocess.CalledProcessError as error:
        print(f"\nThat failed, with exit code {error.returncode}.", file=sys.stderr)
        return error.returncode
    except KeyboardInterrupt:
        return 130
    return 0


def install() -> None:
    """A virtual environment with the generator in it."""
    say("Install the generator")
    DEMO.mkdir(exist_ok=True)
    if not (BIN / "pip").exists():
        run(sys.executable, "-m", "venv", VENV)
    pip_install(ROOT)


def emit() -> None:
    """The project, with the example's handlers in the place of the stubs."""
    say("Emit a service out of a contract and a resilience spec")
    shutil.rmtree(PROJECT, ignore_errors=True)
    contract, spec = EXAMPLE / "protos" / "orders" / "v1" / "orders.proto", EXAMPLE / "resilience.yaml"
    inputs = ["--contract", contract, "-I", EXAMPLE / "protos", "--spec", spec]
    run(BIN / "holdfast", "new", PROJECT, *inputs, "--defaults")
    written = Path("src", "orders", "handlers", "order_service.py")
    run("cp", EXAMPLE / "project" / written, (PROJECT / written).parent)
    say("Install it, and explain one of its methods")
    pip_install(PROJECT)
    run(BIN / "holdfast", "--project", PROJECT, "explain", "CreateOrder")


def pip_install(folder: Path) -> None:
    """Install a distribution in place."""
    run(BIN / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--editable", folder)


def say(what: str) -> None:
    """A heading."""
    print(f"\n\033[1m== {what}\033[0m" if sys.stdout.isatty() else f"\n== {what}", flush=True)


def run(*command: object, quiet: bool = False) -> None:
    """Run a command as one would type it at the root, and show it unless `quiet`.

    Raises CalledProcessError where it fails.
    """
    words = ["." if word == ROOT else str(word).removeprefix(f"{ROOT}/") for word in command]
    if not quiet:
        print("$", *words, flush=True)
    subprocess.run(words, check=True, cwd=ROOT)


if __name__ == "__main__":
    sys.exit(main())
