"""Imports a project's modules as a program would, thousands of times: what all share is loaded once.

Run as a program: RUNTIME, the folder that holds the emitted runtime. Each line of its input is a JSON list of a `src`
folder and modules; each line of its output is what importing them in a process of their own raised, "" for nothing.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import types

PACKAGE = "demo"
_SHARED = ("call", "definition", "errors", "codes", "snapshot", "client")


def _import(source: str, modules: list[str]) -> str:
    package = sys.modules[PACKAGE]
    package.__path__ = [f"{source}/{PACKAGE}", *package.__path__]
    importlib.invalidate_caches()
    sys.dont_write_bytecode = True
    try:
        for module in modules:
            importlib.import_module(f"{PACKAGE}.{module}")
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        return f"{type(error).__name__}: {error}"
    return ""


def main(runtime: str) -> None:
    """Answers until there is no more input."""
    package = types.ModuleType(PACKAGE)
    package.__path__ = [runtime]
    sys.modules[PACKAGE] = package
    for shared in _SHARED:
        importlib.import_module(f"{PACKAGE}.runtime.{shared}")
    importlib.import_module("google.protobuf.empty_pb2")
    importlib.import_module("google.protobuf.internal.builder")
    for line in sys.stdin:
        reader, writer = os.pipe()
        if os.fork() == 0:
            source, *modules = json.loads(line)
            os.write(writer, _import(source, modules).encode())
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as answer:
            print(json.dumps(answer.read()), flush=True)
        os.wait()


if __name__ == "__main__":
    main(sys.argv[1])
