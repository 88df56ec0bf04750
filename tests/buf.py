"""buf itself, from npm, kept below .cache of the checkout: what breaking changes are held against."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

VERSION = "1.75.0"
FOLDER = Path(__file__).resolve().parents[1] / ".cache" / "buf" / VERSION


class MissingToolError(Exception):
    """Something that the tests need is not installed."""


def executable() -> Path:
    """The buf program, installed unless it is there.

    Raises MissingToolError without npm, CalledProcessError where the download fails.
    """
    program = FOLDER / "node_modules" / ".bin" / "buf"
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run in several processes
        if not program.exists():
            _install()
    return program


def _install() -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise MissingToolError("buf comes from npm, which is not installed: make system")
    command = [npm, "install", "--silent", "--no-save", "--no-audit", "--no-fund", f"@bufbuild/buf@{VERSION}"]
    environment = {**os.environ, "npm_config_update_notifier": "false"}
    subprocess.run([*command, "--prefix", str(FOLDER)], check=True, env=environment)


def breaking(before: Path, after: Path, category: str) -> Iterator[dict[str, Any]]:
    """What `buf breaking` finds: `type` is the rule, `path` the file where it has one, and `message`."""
    configuration = json.dumps({"version": "v2", "breaking": {"use": [category]}})
    command = [str(executable()), "breaking", str(after), "--config", configuration, "--against", str(before)]
    done = subprocess.run(
        [*command, "--against-config", configuration, "--error-format", "json"], capture_output=True, check=False
    )
    if done.stderr or done.returncode not in (0, 100):
        raise RuntimeError(done.stderr.decode())
    for line in done.stdout.splitlines():
        yield json.loads(line)


def rules(category: str) -> set[str]:
    """The names of the rules that buf has in a category."""
    command = [str(executable()), "config", "ls-breaking-rules", "--version", "v2", "--format", "json"]
    listed = subprocess.run(command, capture_output=True, check=True).stdout
    rows = [json.loads(line) for line in listed.splitlines()]
    return {row["id"] for row in rows if category in row["categories"]}
