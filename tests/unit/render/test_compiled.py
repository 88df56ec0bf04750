"""Compiled templates are kept from one run to the next, and do no harm where they are wrong or cannot be kept."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from generator.render.environment import LayeredEnvironment
from generator.render.layers import BUILT_IN, Layer, Layers

NAME = "greeting.txt.j2"


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder in which they are kept, with nothing in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "holdfast/templates"


def rendered(source: str) -> str:
    layers = Layers((Layer(BUILT_IN, "templates", {NAME: source.encode()}),))
    return LayeredEnvironment(layers).get_template(NAME).render(name="Ann")


def test_a_compiled_template_is_taken_by_the_next_run(kept: Path) -> None:
    assert rendered("Hello {{ name }}") == "Hello Ann"
    (file,) = kept.iterdir()
    written = file.stat()
    assert rendered("Hello {{ name }}") == "Hello Ann"
    assert file.stat().st_ino == written.st_ino  # what is compiled anew comes in a new file
    assert rendered("Hi {{ name }}") == "Hi Ann"
    assert file.stat().st_ino != written.st_ino
    assert [file] == list(kept.iterdir())


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut short": lambda content: content[: len(content) // 2],
    "without its end": lambda content: content[:-1],
    "with another mark": lambda content: bytes(32) + content[32:],
    "of other bytes": lambda content: content[:60] + bytes(byte ^ 1 for byte in content[60:]),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_counts_for_nothing(damage: Callable[[bytes], bytes], kept: Path) -> None:
    assert rendered("Hello {{ name }}") == "Hello Ann"
    (file,) = kept.iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert rendered("Hello {{ name }}") == "Hello Ann"
    assert file.read_bytes() == whole


def test_a_folder_that_cannot_be_made_costs_nothing_but_time(kept: Path) -> None:
    kept.parent.mkdir()
    kept.write_text("a file where the folder would be")
    assert rendered("Hello {{ name }}") == "Hello Ann"


def test_nobody_else_may_write_there(kept: Path) -> None:
    rendered("Hello {{ name }}")
    assert kept.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("length", [1, 40, 63])
def test_the_built_in_templates_need_no_black_whatever_the_package_is_called(length: int) -> None:
    example = Path(__file__).parents[3] / "examples/orders/project"
    program = f"""
import sys
from dataclasses import replace
from pathlib import Path
from generator.project.build import plan_of
from generator.render.render import render
render(replace(plan_of(Path({str(example)!r}))[1], package="p" * {length}))
assert "black" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
