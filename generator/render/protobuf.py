"""protoc's own Python output for the contract, moved below the project's package."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from generator.contract.compile import run_protoc
from generator.contract.model import Contract
from generator.render import keywords
from generator.render.emit import Emit, Owner
from generator.render.naming import pb_modules

_IMPORT = re.compile(
    r"^(?P<indent> *)(?:from (?P<package>[\w.]+) import (?P<name>\w+|\*)(?P<alias> as \w+)?"
    r"|import (?P<module>\w+_pb2)(?P<module_alias> as \w+)?"
    r"|(?P<target>\w+) = importlib\.import_module\('(?P<dynamic>[\w.-]+)'\))(?P<tail>.*)$",
    re.MULTILINE,
)
_BUILD = re.compile(r"^(_builder\.BuildTopDescriptorsAndMessages\(DESCRIPTOR, )'([^']+)'", re.MULTILINE)
_SUFFIXES = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py")


def render(contract: Contract, package: str) -> list[Emit]:
    """`gen/pb/**`: messages, their type stubs and gRPC stubs of every file no installed package provides.

    protoc writes imports from the include root; here each module moves to its proto package below the project's
    own, so that nothing is put at the top level of the environment. protoc reads the descriptor set, which has
    no comments: none can end up in the output.
    """
    ours = sorted(path for path, file in contract.files.items() if not file.provided)
    if not ours:
        return [_package_file(f"src/{package}/gen/pb")]
    modules = pb_modules(contract)
    moved = {_protoc_module(path): f"{package}.gen.pb{modules[path]}" for path in ours}
    with tempfile.TemporaryDirectory() as folder:
        _run_protoc(contract, ours, Path(folder))
        emits: list[Emit] = []
        packages = {f"src/{package}/gen/pb"}
        for path in ours:
            made = _protoc_module(path).removesuffix("_pb2").replace(".", "/")
            target = f"src/{package}/gen/pb" + modules[path].removesuffix("_pb2").replace(".", "/")
            packages.update(_parents(target, f"src/{package}/gen/pb"))
            for suffix in _SUFFIXES:
                text = keywords.mended(_move(Path(folder, made + suffix).read_text("utf-8"), moved), suffix)
                emits.append(Emit(target + suffix, Owner.MANAGED, text.encode(), f"protoc:{suffix[1:]}", "protoc"))
    return [*emits, *(_package_file(folder) for folder in sorted(packages))]


def _run_protoc(contract: Contract, paths: list[str], out: Path) -> None:
    described = out / "contract.binpb"
    described.write_bytes(contract.descriptor_set.SerializeToString(deterministic=True))
    bundled = files("grpc_tools") / "_proto"
    arguments = ["protoc", f"--descriptor_set_in={described}", f"--python_out={out}", f"--pyi_out={out}"]
    status, complaints = run_protoc([*arguments, f"--grpc_python_out={out}", f"-I{bundled}", *paths], out)
    if status != 0:
        raise RuntimeError(f"protoc refused a descriptor set that it made itself: {complaints}")


def _protoc_module(path: str) -> str:
    """The module that protoc itself would give a file (python/helpers.cc, ModuleName)."""
    return path.removesuffix(".proto").replace("-", "_").replace("/", ".") + "_pb2"


def _move(text: str, moved: Mapping[str, str]) -> str:
    def replace(found: re.Match[str]) -> str:
        indent, tail = found["indent"], found["tail"]
        if found["package"] in moved:  # names out of a module: `import public`
            return f"{indent}from {moved[found['package']]} import {found['name']}{found['alias'] or ''}{tail}"
        if found["package"]:
            source, alias = f"{found['package']}.{found['name']}", found["alias"] or ""
        else:
            source, alias = found["module"] or found["dynamic"], found["module_alias"] or ""
        target = moved.get(source)
        if target is None:
            return found[0]
        if found["target"]:
            return f"{indent}import {target} as {found['target']}{tail}"
        parent, _, name = target.rpartition(".")
        bound = found["name"] or found["module"]
        alias = alias or (f" as {bound}" if bound != name else "")
        return f"{indent}from {parent} import {name}{alias}{tail}"

    text = _IMPORT.sub(replace, text)
    return _BUILD.sub(lambda found: f"{found[1]}'{moved.get(found[2], found[2])}'", text)


def _parents(target: str, top: str) -> set[str]:
    found = set()
    folder = target.rpartition("/")[0]
    while len(folder) > len(top):
        found.add(folder)
        folder = folder.rpartition("/")[0]
    return found


def _package_file(folder: str) -> Emit:
    return Emit(
        f"{folder}/__init__.py",
        Owner.MANAGED,
        b'"""Messages of the contract, as protoc makes them."""\n',
        "protoc:__init__.py",
    )
