"""What of a contract is new, gone or different, file by file, in a few words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

_NAMED = 3  # differences told one by one
_PARENTS = {"field": "message", "message": "message", "enum": "message", "value": "enum", "rpc": "service"}


def contract_changes(before: FileDescriptorSet, after: FileDescriptorSet) -> Mapping[str, str]:
    """The differences of each file, by import path; files without any are left out.

    As "+ rpc shop.v1.Shop.Sell, ~ field shop.v1.Order.note, and 2 more".
    """
    old = {file.name: file for file in before.file}
    told: dict[str, str] = {}
    for file in after.file:
        was = old.get(file.name)
        if was is None:
            told[file.name] = "new"
        elif was != file:
            differences = list(_differences(dict(_symbols(was)), dict(_symbols(file)))) or ["options"]
            more = [f"and {len(differences) - _NAMED} more"] if len(differences) > _NAMED else []
            told[file.name] = ", ".join([*differences[:_NAMED], *more])
    return told


def _differences(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> Iterator[str]:
    for symbol in sorted({*old, *new}):
        if old.get(symbol) == new.get(symbol):
            continue
        parent = _parent(symbol)
        if (parent in old) == (parent in new):  # else it is told of what it is in
            yield f"{'+' if symbol not in old else '-' if symbol not in new else '~'} {symbol}"


def _parent(symbol: str) -> str:
    kind, _, name = symbol.partition(" ")
    return f"{_PARENTS.get(kind, 'package')} {name.rpartition('.')[0]}"


def _symbols(file: FileDescriptorProto) -> Iterator[tuple[str, bytes]]:
    """Every element of the file as it is by itself, by kind and name."""
    prefix = f"{file.package}." if file.package else ""
    for message in file.message_type:
        yield from _message(message, prefix)
    for enum in file.enum_type:
        yield from _enum(enum, prefix)
    for service in file.service:
        yield f"service {prefix}{service.name}", service.options.SerializeToString(deterministic=True)
        for method in service.method:
            yield f"rpc {prefix}{service.name}.{method.name}", method.SerializeToString(deterministic=True)
    for extension in file.extension:
        yield f"extension {prefix}{extension.name}", extension.SerializeToString(deterministic=True)
    yield "package", file.package.encode()


def _message(message: DescriptorProto, prefix: str) -> Iterator[tuple[str, bytes]]:
    if message.options.map_entry:
        return
    name = f"{prefix}{message.name}"
    bare = DescriptorProto()
    bare.CopyFrom(message)
    for part in ("field", "nested_type", "enum_type", "extension"):
        bare.ClearField(part)
    yield f"message {name}", bare.SerializeToString(deterministic=True)
    for field in message.field:
        yield f"field {name}.{field.name}", field.SerializeToString(deterministic=True)
    for nested in message.nested_type:
        yield from _message(nested, f"{name}.")
    for enum in message.enum_type:
        yield from _enum(enum, f"{name}.")


def _enum(enum: EnumDescriptorProto, prefix: str) -> Iterator[tuple[str, bytes]]:
    name = f"{prefix}{enum.name}"
    yield f"enum {name}", enum.options.SerializeToString(deterministic=True)
    for value in enum.value:
        yield f"value {name}.{value.name}", value.SerializeToString(deterministic=True)
