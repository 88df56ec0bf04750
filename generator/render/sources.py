"""Which inputs an emitted file is made from, so that people can be told why it changes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from generator.contract.model import Contract
from generator.plan.model import Plan
from generator.render import naming, services
from generator.render.emit import Emit


@dataclass(frozen=True, slots=True)
class Sources:
    """.proto files by import path, and sections of the spec ("spec.errors"); None stands for all of them."""

    protos: frozenset[str] | None = None
    sections: tuple[str, ...] | None = None

    def has_proto(self, path: str) -> bool:
        """Whether the file is made from that .proto file."""
        return self.protos is None or path in self.protos

    def has_key(self, key: str) -> bool:
        """Whether the file is made from that key of the spec ("spec.errors.domain")."""
        return self.sections is None or any(f"{key}.".startswith(f"{section}.") for section in self.sections)


_NONE: frozenset[str] = frozenset()
_ERRORS = Sources(_NONE, ("metadata", "spec.errors"))
_BY_TEMPLATE = {
    "contract.binpb": Sources(None, ()),
    "managed/docs/errors.md.j2": _ERRORS,
    "managed/src/{package}/gen/clients/__init__.py.j2": Sources(None, ("spec.dependencies",)),
    "managed/src/{package}/gen/clients/{dependency}.py.j2": Sources(None, ("spec.dependencies",)),
    "managed/src/{package}/gen/clients/{http_dependency}.py.j2": Sources(_NONE, ("spec.dependencies",)),
    "managed/src/{package}/gen/codecs/__init__.py.j2": Sources(None, ("spec.server.rest",)),
    "managed/src/{package}/gen/codecs/{folder}/__init__.py.j2": Sources(None, ("spec.server.rest",)),
    "managed/src/{package}/gen/definition.py.j2": Sources(_NONE, ()),
    "managed/src/{package}/gen/errors.py.j2": _ERRORS,
    "managed/src/{package}/gen/routes.py.j2": Sources(None, ("spec.server.rest",)),
    "managed/src/{package}/gen/services/__init__.py.j2": Sources(None, ()),
    "protoc:__init__.py": Sources(None, ()),
    "seeded/src/{package}/app.py.j2": Sources(None, ()),
}
_OF_A_SERVICE = frozenset(
    {
        "appended/src/{package}/handlers/{service}.py.j2",
        "managed/src/{package}/gen/services/{service}.py.j2",
        "seeded/tests/test_{service}.py.j2",
    }
)
_ENDING = re.compile(r"(?:_json|_pb2(?:_grpc)?)(?:\.pyi?)?$")
_CODEC = "managed/src/{package}/gen/codecs/{module}.py.j2"


def sources_of(plan: Plan) -> Callable[[Emit], Sources]:
    """Tells the sources of each of the plan's files; of what it does not know, that it is made from everything."""
    contract, package = plan.contract, plan.package
    stems = {_stem(module): path for path, module in naming.pb_modules(contract).items() if module.startswith(".")}
    modules = {view.module: view.proto for view in services.views(plan)}

    def of(emit: Emit) -> Sources:
        if emit.template.startswith("runtime/"):
            return Sources(_NONE, ())
        if (known := _BY_TEMPLATE.get(emit.template)) is not None:
            return known
        name = (
            emit.path.rpartition("/")[2].removesuffix(".py").removeprefix("test_" if "test_" in emit.template else "")
        )
        if emit.template in _OF_A_SERVICE and name in modules:
            return Sources(_closure(contract, modules[name]), ())
        if emit.layer == "protoc":
            stem = _stem(emit.path.removeprefix(f"src/{package}/gen/pb"))
            return Sources(_closure(contract, stems[stem]) if stem in stems else None, ())
        if emit.template == _CODEC:
            stem = _stem(emit.path.removeprefix(f"src/{package}/gen/codecs"))
            return Sources(_closure(contract, stems[stem]) if stem in stems else None, ("spec.server.rest",))
        return Sources()

    return of


def _stem(module: str) -> str:
    """What the modules made from one .proto file have in common: "/orders/v1/orders" of "/orders/v1/orders_pb2.py"."""
    return _ENDING.sub("", module).replace(".", "/")


def _closure(contract: Contract, path: str) -> frozenset[str]:
    """The file and everything that it imports."""
    found: set[str] = set()
    pending = [path]
    while pending:
        current = pending.pop()
        if current not in found and current in contract.files:
            found.add(current)
            pending += contract.files[current].dependencies
    return frozenset(found)
