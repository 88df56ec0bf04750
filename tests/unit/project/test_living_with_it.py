"""Whatever users write and however the contract and the spec change, nothing of theirs is lost and all is in order."""

import ast
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator import resources
from generator.project.build import Build, compute, read_lock
from generator.project.checking import verdict
from generator.project.deciding import decided
from generator.project.disk import Disk
from generator.project.settled import settled
from generator.project.stubs import class_of
from generator.project.writer import apply
from generator.render.emit import Owner
from tests.unit.project.user_edits import EDITS

IMPORTING = Path(__file__).with_name("importing.py")
SEQUENCES = 500 if settings.default.max_examples <= 500 else 5_000
PARTS = 2  # which may run at once
CONTRACTS, SPECS = 24, 2
HANDLERS = ("src/demo/handlers/shop.py", "src/demo/handlers/clock.py")
PYPROJECT = """\
[project]
name = "demo"
[tool.holdfast]
contracts = ["*.proto"]
spec = "resilience.yaml"
package = "demo"
breaking = "NONE"
"""
HEAD = """\
syntax = "proto3";
package demo.v1;
import "google/protobuf/empty.proto";
message Order { string name = 1; %s}
message Receipt { string name = 1; }
message Call { string name = 1; }
"""
NAMES = ("Buy", "Sell", "Rent", "Import", "Close")
MESSAGES = ("Order", "Receipt", "Call", "google.protobuf.Empty")


def contract(number: int) -> str:
    """One of the contracts: services, RPCs, their messages and kinds, and fields, come and go among them."""
    choose = random.Random(number)
    text = HEAD % ("int32 count = 2; " if choose.random() < 0.5 else "")
    for service in ("Shop", "Clock") if number % 4 == 0 else ("Shop",):
        rpcs = []
        for name in choose.sample(NAMES, choose.randrange(0, len(NAMES) + 1)):
            request, response = (
                choose.choices(MESSAGES[:3], k=2) if choose.random() < 0.8 else choose.choices(MESSAGES, k=2)
            )
            streams = choose.choice([("", ""), ("", ""), ("stream ", ""), ("", "stream "), ("stream ", "stream ")])
            comment = choose.choice(["", '  // Says \u2028 \\ """ so.\n', "  // Plain.\n"])
            rpcs.append(f"{comment}  rpc {name}({streams[0]}{request}) returns ({streams[1]}{response});\n")
        text += f"service {service} {{\n{''.join(rpcs)}}}\n"
    return text


def spec(number: int) -> str:
    return f"spec:\n  deadline: {{default: {number + 1}s, max: 20s}}\n"


def lay_down(project: Path, proto: int, policy: int) -> None:
    """Writes the inputs as a user would."""
    (project / "contract").mkdir(exist_ok=True)
    (project / "contract/demo.proto").write_text(contract(proto))
    (project / "resilience.yaml").write_text(spec(policy))
    (project / "pyproject.toml").write_text(PYPROJECT)


@cache
def build(proto: int, policy: int) -> Build:
    """What is generated from these inputs, but for the runtime, which no input changes."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        lay_down(project, proto, policy)
        built = compute(project, Disk(project), None)
    return replace(built, emits=tuple(emit for emit in built.emits if not emit.template.startswith("runtime/")))


@pytest.fixture(scope="module")
def importing() -> Iterator[Callable[[Path, list[str]], str]]:
    """Imports modules of a project's package; what that raises, "" for nothing."""
    command = [sys.executable, IMPORTING, resources.root() / "templates/python"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        requests, answers = process.stdin, process.stdout

        def ask(project: Path, modules: list[str]) -> str:
            requests.write(json.dumps([str(project / "src"), *modules]) + "\n")
            requests.flush()
            return str(json.loads(answers.readline()))

        yield ask
        requests.close()


def parsed(content: bytes | None) -> ast.Module | None:
    try:
        return None if content is None else ast.parse(content)
    except (SyntaxError, ValueError):
        return None


def users(project: Path) -> dict[str, bytes]:
    """The files that are the user's."""
    folders = ("src/demo/handlers", "tests")
    found = [
        f"{folder}/{path.name}"
        for folder in folders
        if (project / folder).is_dir()
        for path in (project / folder).iterdir()
    ]
    return {path: (project / path).read_bytes() for path in [*found, "src/demo/app.py"] if (project / path).is_file()}


def tree(project: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in project.rglob("*") if path.is_file()}


def regenerate(project: Path, proto: int, policy: int) -> Build:
    """Generates from these inputs, and holds what must hold of every generation."""
    lay_down(project, proto, policy)
    mine = users(project)
    disk = Disk(project)
    built = replace(build(proto, policy), before=read_lock(disk))
    changes = decided(disk, built)
    apply(project, changes)

    for path, content in users(project).items():
        rest = iter(content)
        assert all(byte in rest for byte in mine.get(path, b"")), f"{path} has lost something"
        if path in mine and not path.startswith("src/demo/handlers/"):
            assert content == mine[path]
    left = {source for _, source in changes.stubs}
    known = {stub for path in HANDLERS for stub in _known(built, path)}
    for emit in built.emits:
        module = parsed(users(project).get(emit.path))
        for stub in emit.stubs if module else ():
            owner = class_of(module, stub.class_name) if module else None
            names = {getattr(node, "name", "") for node in owner.body} if owner else set()
            assert stub.method in names or stub.source in left or (stub.class_name, stub.method) in known

    before = tree(project)
    again = replace(built, before=read_lock(Disk(project)))
    unchanged = decided(Disk(project), again)
    assert verdict(project, unchanged) == (0, ())
    assert not apply(project, unchanged)
    assert tree(project) == before
    assert (settled(project) is None) == bool(unchanged.notes or unchanged.stubs)
    return built


def _known(built: Build, path: str) -> set[tuple[str, str]]:
    """The handler methods that an earlier generation gave the file: one that is not there was taken out."""
    locked = built.before.files.get(path) if built.before else None
    return {(stub.class_name, stub.method) for stub in locked.stubs} if locked else set()


STEPS = st.one_of(
    st.tuples(st.just("contract"), st.integers(0, CONTRACTS - 1)),
    st.tuples(st.just("spec"), st.integers(0, SPECS - 1)),
    st.tuples(st.sampled_from(HANDLERS), st.sampled_from(sorted(EDITS))),
    st.tuples(st.sampled_from(HANDLERS), st.just("delete")),
)


@pytest.mark.parametrize("part", range(PARTS))
@settings(max_examples=SEQUENCES // PARTS)
@given(first=st.integers(0, CONTRACTS - 1), steps=st.lists(STEPS, min_size=1, max_size=6))
def test_no_byte_of_a_user_is_lost_and_the_project_stays_in_order(
    importing: Callable[[Path, list[str]], str], part: int, first: int, steps: list[tuple[str, int | str]]
) -> None:
    del part  # each has examples of its own
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        inputs = {"contract": first, "spec": 0}
        built = regenerate(project, **_numbers(inputs))
        for what, change in steps:
            if isinstance(change, int):
                inputs[what] = change
                built = regenerate(project, **_numbers(inputs))
            elif (project / what).exists():
                if change == "delete":
                    (project / what).unlink()
                else:
                    (project / what).write_bytes(EDITS[change]((project / what).read_bytes()))
        built = regenerate(project, **_numbers(inputs))
        served = {emit.path for emit in built.emits if emit.owner is Owner.APPENDED}
        importable = [path for path, content in users(project).items() if path in served and parsed(content)]
        modules = ["gen.definition", *(path.removeprefix("src/demo/")[:-3].replace("/", ".") for path in importable)]
        assert importing(project, modules) == ""


def _numbers(inputs: dict[str, int]) -> dict[str, int]:
    return {"proto": inputs["contract"], "policy": inputs["spec"]}


@pytest.mark.parametrize("edit", EDITS)
def test_each_edit_is_one(edit: str) -> None:
    """Otherwise the property above would say less than it seems to."""
    stubs = max((emit for emit in build(0, 0).emits if emit.path in HANDLERS), key=lambda emit: len(emit.stubs))
    before = {"LF": EDITS["CRLF"], "half-written code mended": EDITS["half-written code"]}.get(edit, bytes)
    content = before(stubs.content)

    assert EDITS[edit](content) != content
