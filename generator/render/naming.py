"""Python names for what a contract and a spec name: identifiers, modules, and types without clashes."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Collection, Iterable, Mapping

from generator.contract.model import Contract, File

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_SEPARATORS = re.compile(r"[^0-9A-Za-z]+")

# What a generated service module and its base class already use.
SERVICE_ATTRIBUTES = frozenset({"clients", "SERVICE", "METHODS"})
SERVICE_MODULE_NAMES = frozenset(
    {"AsyncIterator", "Call", "ClassVar", "Clients", "Kind", "Method", "ServiceBase", "annotations", "errors", "cast"}
)
# What app.py uses besides the handlers' classes.
APP_NAMES = frozenset({"Application", "AsyncIterator", "Clients", "application", "asynccontextmanager"})


def snake(name: str) -> str:
    """`GetIAMPolicy` is `get_iam_policy`; digits stay with the word before them (`V1Beta2` is `v1_beta2`)."""
    words: list[str] = []
    for part in _SEPARATORS.split(name):
        for word in _WORD.findall(part):
            if word.isdigit() and words:
                words[-1] += word
            else:
                words.append(word.lower())
    return "_".join(words) or "_"


def pascal(reason: str) -> str:
    """`OUT_OF_STOCK` is `OutOfStock`."""
    return "".join(word[:1].upper() + word[1:].lower() for word in _SEPARATORS.split(reason) if word) or "_"


def identifier(name: str, taken: Collection[str] = ()) -> str:
    """`name` as a Python identifier: a keyword gets a trailing `_`, a leading digit a leading `_`; not in `taken`.

    A name that is taken gets the smallest number from 2 that makes it free: names that differ only in case meet
    here once they are in snake case.
    """
    if name[:1].isdigit():
        name = f"_{name}"
    if keyword.iskeyword(name):
        name = f"{name}_"
    free, number = name, 2
    while free in taken:
        free = f"{name.rstrip('_')}_{number}"
        number += 1
    return free


def unique(names: Iterable[str], reserved: Collection[str] = ()) -> dict[str, str]:
    """An identifier for each name, in order, all different and none of `reserved`."""
    taken = set(reserved)
    chosen: dict[str, str] = {}
    for name in names:
        chosen[name] = identifier(name, taken)
        taken.add(chosen[name])
    return chosen


def handler_methods(rpcs: Iterable[str]) -> dict[str, str]:
    """The handler's method for each RPC name of one service."""
    taken = set(SERVICE_ATTRIBUTES)
    chosen: dict[str, str] = {}
    for rpc in rpcs:
        chosen[rpc] = identifier(snake(rpc), taken)
        taken.add(chosen[rpc])
    return chosen


def constants(methods: Mapping[str, str]) -> dict[str, str]:
    """The module-level name of each RPC's Method, by RPC name; a class attribute of the base must not hide it."""
    taken = set(SERVICE_ATTRIBUTES)
    chosen: dict[str, str] = {}
    for rpc, method in methods.items():
        chosen[rpc] = identifier(method.upper(), taken)
        taken.add(chosen[rpc])
    return chosen


def pb_modules(contract: Contract) -> dict[str, str]:
    """The dotted module of each file's messages, by import path.

    Provided files have their package's module ("google.rpc.status_pb2"); ours are relative to `gen/pb`
    (".orders.v1.orders_pb2"): the proto package, then the file's stem. Files that meet there (two `types.proto`
    of one package) take their whole import path into the stem.
    """
    modules: dict[str, str] = {}
    taken: set[str] = set()
    for path in sorted(contract.files):
        file = contract.files[path]
        if file.provided:
            modules[path] = file.python_module
            continue
        module = _pb_module(file, path.rpartition("/")[2])
        if module in taken:
            module = _pb_module(file, path)
        modules[path] = module
        taken.add(module)
    return modules


def _pb_module(file: File, stem: str) -> str:
    stem = _SEPARATORS.sub("_", stem.removesuffix(".proto"))
    packages = [identifier(part) for part in file.package.split(".") if part]
    return "." + ".".join([*packages, identifier(f"{stem}_pb2")])


def type_alias(package: str, name: str, taken: Collection[str]) -> str:
    """A module-level name for message `name` of proto package `package` that clashes with nothing in `taken`."""
    if name not in taken and not hasattr(builtins, name):
        return name
    parts = [part for part in package.split(".") if part and not re.fullmatch(r"v[0-9]\w*", part)]
    return identifier(f"{pascal(parts[-1]) if parts else 'Proto'}{name}", taken)
