"""The golden cases: one small contract a concern, and the few emitted files whose very text it decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from generator.contract.load import load as load_contract
from generator.plan.build import build
from generator.plan.model import Plan
from generator.render.render import render
from generator.spec.load import load as load_spec

HERE = Path(__file__).resolve().parent
PACKAGE = "golden"


@dataclass(frozen=True, slots=True)
class Case:
    """Inputs in `tests/golden/NAME/`, and in its `golden/` the emitted files of those paths.

    Paths are below `src/golden/`, or of the project where they start with `/`.
    """

    name: str
    paths: tuple[str, ...]

    @property
    def folder(self) -> Path:
        return HERE / self.name / "golden"

    def plan(self) -> Plan:
        """The plan of the case's inputs."""
        inputs = HERE / self.name
        contracts = [path.relative_to(inputs).as_posix() for path in sorted(inputs.rglob("*.proto"))]
        spec = inputs / "resilience.yaml"
        contract = load_contract(contracts, [inputs])
        loaded = load_spec(spec if spec.is_file() else HERE / "empty.yaml")
        return build(contract, loaded, name=PACKAGE, package=PACKAGE)

    def emitted(self) -> Mapping[str, bytes]:
        """The case's files as the generator makes them now."""
        files = {emit.path: emit.content for emit in render(self.plan())}
        return {path.removeprefix("/"): files[_full(path)] for path in self.paths}

    def golden(self) -> Mapping[str, bytes]:
        """The case's files as they were last agreed to."""
        found = [path for path in self.folder.rglob("*") if path.is_file()]
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in found}


def _full(path: str) -> str:
    return path.removeprefix("/") if path.startswith("/") else f"src/{PACKAGE}/{path}"


CASES = (
    Case("kinds", ("gen/services/kinds.py", "handlers/kinds.py", "app.py")),
    Case(
        "bindings",
        (
            "gen/routes.py",
            "gen/bindings/__init__.py",
            "gen/bindings/bindings.py",
            "gen/codecs/golden/v1/bindings_json.py",
        ),
    ),
    Case("names", ("gen/services/class_.py", "handlers/class_.py")),
    Case("nested_types", ("handlers/nested.py",)),
    Case("one_name_twice", ("app.py", "gen/services/__init__.py", "gen/definition.py")),
    Case("no_package", ("gen/services/bare.py",)),
    Case("no_rpcs", ("handlers/nothing.py", "gen/services/nothing.py")),
    Case("old_and_new_syntax", ("handlers/dated.py", "handlers/modern.py")),
    Case("several_files", ("handlers/library.py",)),
    Case("comments", ("handlers/commented.py",)),
    Case("errors", ("gen/errors.py", "/docs/errors.md")),
    Case("policies", ("gen/policies.py",)),
    Case(
        "codecs",
        ("gen/codecs/__init__.py", "gen/codecs/golden/v1/colors_json.py", "gen/codecs/golden/v1/shapes_json.py"),
    ),
)
