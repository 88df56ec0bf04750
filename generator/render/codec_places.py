"""Where the functions and constants of each message, enum and oneof are, below gen/codecs, and what they are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from generator.contract.model import Contract, Enum, Message
from generator.render import naming


@dataclass(frozen=True, slots=True)
class Places:
    """The modules of files, and the names of what is in them."""

    contract: Contract
    modules: Mapping[str, str]  # by a .proto's import path, below gen/codecs
    names: Mapping[str, str]  # by full name: the constant of an enum or a oneof, what follows `decode_` for a message
    taken: Mapping[str, frozenset[str]]  # the names of what is in each file

    @classmethod
    def of(cls, contract: Contract) -> Places:
        """The places of a contract."""
        return cls(contract, _modules(contract), *_names(contract))

    def file(self, full_name: str) -> str:
        """The import path of the file that declares a message or an enum."""
        found: Message | Enum = self.contract.messages.get(full_name) or self.contract.enums[full_name]
        return found.file

    def function(self, verb: str, message: str) -> tuple[str, str]:
        """The module of a message's function ("decode", "take", …), and the function's name."""
        return self.modules[self.file(message)], f"{verb}_{self.names[message]}"

    def oneof(self, message: Message, oneof: str) -> tuple[str, str]:
        """The module of a oneof's constant, and the constant's name."""
        return self.modules[message.file], self.names[f"{message.full_name}.{oneof}"]


def _modules(contract: Contract) -> dict[str, str]:
    """The module of each file's codecs, by import path: where gen/pb has `x_pb2`, gen/codecs has `x_json`."""
    modules: dict[str, str] = {}
    for path, module in naming.pb_modules(contract).items():
        base = module.lstrip(".").removesuffix("_pb2") + "_json"
        folder, _, stem = base.rpartition(".")
        below = f"{folder}." if folder else ""
        beside = {taken.removeprefix(below) for taken in modules.values() if taken.startswith(below)}
        modules[path] = below + naming.identifier(stem, beside)
    return modules


def _names(contract: Contract) -> tuple[dict[str, str], dict[str, frozenset[str]]]:
    """What each message's functions and each enum's and oneof's constant are called after, unique in its file; and those of each file."""
    taken: dict[str, set[str]] = {}
    names: dict[str, str] = {}
    for types, form in ((contract.messages, str.lower), (contract.enums, str.upper)):
        for full_name, found in types.items():
            package = contract.files[found.file].package
            base = naming.snake(full_name.removeprefix(f"{package}." if package else "").replace(".", "_"))
            names[full_name] = naming.identifier(form(base), taken.setdefault(found.file, set()))
            taken[found.file].add(names[full_name])
    for message in contract.messages.values():
        for oneof in message.oneofs:
            constant = naming.identifier(f"{names[message.full_name]}_{oneof.name}".upper(), taken[message.file])
            names[f"{message.full_name}.{oneof.name}"] = constant
            taken[message.file].add(constant)
    return names, {file: frozenset(found) for file, found in taken.items()}
