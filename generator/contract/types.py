"""Messages and enums out of a descriptor set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorSet,
)
from google.protobuf.descriptor_pool import DescriptorPool

from generator.contract.model import Enum, EnumValue, Field, Message, Oneof
from generator.contract.source_info import SourceInfo
from generator.errors import Finding, InputError

# Field numbers of descriptor.proto, of which source info's paths are made.
_FILE_MESSAGE, _FILE_ENUM = 4, 5
_MESSAGE_FIELD, _MESSAGE_NESTED, _MESSAGE_ENUM, _MESSAGE_ONEOF = 2, 3, 4, 8
_ENUM_VALUE = 2

_TYPE_NAMES: dict[int, str] = {
    number: name.removeprefix("TYPE_").lower() for name, number in FieldDescriptorProto.Type.items()
}
_BEHAVIORS = dict(zip(field_behavior_pb2.FieldBehavior.values(), field_behavior_pb2.FieldBehavior.keys(), strict=True))


@dataclass(frozen=True, slots=True)
class Types:
    """All messages and enums of a descriptor set, by full name, in declaration order."""

    messages: Mapping[str, Message]
    enums: Mapping[str, Enum]


def read_types(descriptor_set: FileDescriptorSet, infos: Mapping[str, SourceInfo]) -> Types:
    """The messages and enums of `descriptor_set`; `infos` has its files' source info, by import path.

    Raises InputError for what protoc accepts and the protobuf runtime does not.
    """
    pool = DescriptorPool()  # a private one: two contracts in one process must not meet
    findings: list[Finding] = []
    messages: dict[str, Message] = {}
    enums: dict[str, Enum] = {}
    for file in descriptor_set.file:
        info = infos[file.name]
        try:
            pool.AddSerializedFile(file.SerializeToString())
        except TypeError as error:
            message = f"the protobuf runtime refuses this file: {error}"
            raise InputError([Finding(info.place(), "proto-error", message)]) from error
        reader = _TypeReader(file.name, info, pool, messages, enums, findings)
        prefix = f"{file.package}." if file.package else ""
        for index, declared in enumerate(file.message_type):
            reader.message(declared, prefix, (_FILE_MESSAGE, index))
        for index, declared_enum in enumerate(file.enum_type):
            reader.enum(declared_enum, prefix, (_FILE_ENUM, index))
    if findings:
        raise InputError(findings)
    return Types(messages, enums)


class _TypeReader:
    """Reads the types of one file into `messages` and `enums`.

    What the file says is read from its descriptor proto; what its syntax or edition makes of it (presence, closed
    enums, delimited encoding) from the pool, which resolves features.
    """

    __slots__ = ("_enums", "_file", "_findings", "_info", "_messages", "_pool")

    def __init__(
        self,
        file: str,
        info: SourceInfo,
        pool: DescriptorPool,
        messages: dict[str, Message],
        enums: dict[str, Enum],
        findings: list[Finding],
    ) -> None:
        self._file = file
        self._info = info
        self._pool = pool
        self._messages = messages
        self._enums = enums
        self._findings = findings

    def message(self, declared: DescriptorProto, prefix: str, path: tuple[int, ...]) -> None:
        """Reads a message and all it nests; `prefix` is its scope with a dot, `path` its source info path."""
        full_name = prefix + declared.name
        descriptor = self._pool.FindMessageTypeByName(full_name)
        resolved: list[FieldDescriptor] = list(descriptor.fields)
        synthetic = {field.oneof_index for field in declared.field if field.proto3_optional}
        fields = tuple(
            self._field(field, resolved[index], declared, (*path, _MESSAGE_FIELD, index))
            for index, field in enumerate(declared.field)
        )
        self._messages[full_name] = Message(
            full_name=full_name,
            name=declared.name,
            file=self._file,
            fields=fields,
            oneofs=tuple(
                Oneof(
                    oneof.name,
                    tuple(field.name for field in fields if field.oneof == oneof.name),
                    self._info.comment((*path, _MESSAGE_ONEOF, index)),
                )
                for index, oneof in enumerate(declared.oneof_decl)
                if index not in synthetic
            ),
            map_entry=declared.options.map_entry,
            deprecated=declared.options.deprecated,
            comment=self._info.comment(path),
            place=self._info.place(path),
        )
        for index, nested in enumerate(declared.nested_type):
            self.message(nested, f"{full_name}.", (*path, _MESSAGE_NESTED, index))
        for index, nested_enum in enumerate(declared.enum_type):
            self.enum(nested_enum, f"{full_name}.", (*path, _MESSAGE_ENUM, index))

    def enum(self, declared: EnumDescriptorProto, prefix: str, path: tuple[int, ...]) -> None:
        """Reads an enum; `prefix` is its scope with a dot, `path` its source info path."""
        full_name = prefix + declared.name
        self._enums[full_name] = Enum(
            full_name=full_name,
            name=declared.name,
            file=self._file,
            values=tuple(
                EnumValue(
                    value.name,
                    value.number,
                    value.options.deprecated,
                    self._info.comment((*path, _ENUM_VALUE, index)),
                )
                for index, value in enumerate(declared.value)
            ),
            closed=self._pool.FindEnumTypeByName(full_name).is_closed,
            deprecated=declared.options.deprecated,
            comment=self._info.comment(path),
            place=self._info.place(path),
        )

    def _field(
        self, declared: FieldDescriptorProto, resolved: FieldDescriptor, parent: DescriptorProto, path: tuple[int, ...]
    ) -> Field:
        in_oneof = declared.HasField("oneof_index") and not declared.proto3_optional
        entry = _map_entry(resolved)
        key, value = (entry.fields_by_number[1], entry.fields_by_number[2]) if entry else (None, None)
        options = declared.options if declared.HasField("options") else None
        return Field(
            name=declared.name,
            json_name=self._json_name(declared, path),
            number=declared.number,
            type=_TYPE_NAMES[resolved.type],
            type_name=declared.type_name.removeprefix("."),
            repeated=resolved.is_repeated,
            is_map=entry is not None,
            map_key_type=_TYPE_NAMES[key.type] if key else "",
            map_value_type=_TYPE_NAMES[value.type] if value else "",
            map_value_type_name=_type_name(value) if value else "",
            has_presence=resolved.has_presence,
            required=resolved.is_required,
            oneof=parent.oneof_decl[declared.oneof_index].name if in_oneof else "",
            behaviors=_behaviors(declared),
            deprecated=options is not None and options.deprecated,
            debug_redact=options is not None and options.debug_redact,
            comment=self._info.comment(path),
            place=self._info.place(path),
        )

    def _json_name(self, declared: FieldDescriptorProto, path: tuple[int, ...]) -> str:
        json_name: str | bytes = declared.json_name
        if isinstance(json_name, str):
            return json_name
        place = self._info.place(path)  # bytes: what a proto2 string field gives for what is not UTF-8
        self._findings.append(Finding(place, "field-json-name", f"{declared.name}: its json_name is not UTF-8"))
        return declared.name


def _map_entry(field: FieldDescriptor) -> Descriptor | None:
    """The entry message of a map field, None for any other field."""
    entry = field.message_type
    return entry if entry is not None and field.is_repeated and entry.has_options and _is_entry(entry) else None


def _is_entry(message: Descriptor) -> bool:
    return bool(message.GetOptions().map_entry)


def _type_name(field: FieldDescriptor) -> str:
    named = field.message_type or field.enum_type
    return named.full_name if named is not None else ""


def _behaviors(field: FieldDescriptorProto) -> frozenset[str]:
    if not field.HasField("options"):
        return frozenset()
    numbers = field.options.Extensions[field_behavior_pb2.field_behavior]
    return frozenset(_BEHAVIORS.get(number, str(number)) for number in numbers)
