"""Import statements put together from several templates come out as ruff wants them."""

import subprocess
import sys
from pathlib import Path

import pytest

from generator.render.imports import organised

MIXED = """\
from ..runtime.b import c
from .a import x, Y, CONSTANT, a10, a9
import grpc
from demo.gen import errors
import os.path
from pathlib import Path
from pathlib import PurePath as Pure
import json as j

from __future__ import annotations
from .a import z
from google.protobuf.message import Message
from ..acme import thing
"""


def test_they_are_in_the_order_that_ruff_asks_for(tmp_path: Path) -> None:
    (tmp_path / "src/demo").mkdir(parents=True)
    file = tmp_path / "src/demo/module.py"
    file.write_text(f'"""Doc."""\n\n{organised(MIXED, "demo")}\n')

    options = ["--isolated", "--no-cache", "--select", "I", "--config", 'lint.isort.known-first-party = ["demo"]']
    command = [sys.executable, "-m", "ruff", "check", *options, "--line-length", "120", file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout
    assert "from .a import CONSTANT, Y, a9, a10, x, z" in file.read_text()


def test_they_are_organised_once_and_for_all() -> None:
    assert organised(organised(MIXED, "demo"), "demo") == organised(MIXED, "demo")
    assert organised("") == ""


def test_what_is_no_import_is_refused() -> None:
    with pytest.raises(ValueError, match="line 2 is no import"):
        organised("import os\nX = 1\n")
