"""A descriptor set resolved and indexed by what stays the same in a compatible change: full names and numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FeatureSet,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool

from generator.contract.source_info import SourceInfo
from generator.errors import Place

# Field numbers of descriptor.proto, of which source info's paths are made.
_FILE_MESSAGE, _FILE_ENUM, _FILE_SERVICE, _FILE_EXTENSION = 4, 5, 6, 7
_MESSAGE_FIELD, _MESSAGE_NESTED, _MESSAGE_ENUM, _MESSAGE_EXTENSION = 2, 3, 4, 6
_ENUM_VALUE, _SERVICE_METHOD = 2, 2
_PACKAGE, _SYNTAX, _EDITION = 2, 12, 14

_KINDS: dict[int, str] = {
    number: name.removeprefix("TYPE_").lower() for name, number in FieldDescriptorProto.Type.items()
}

_Path = tuple[int, ...]


class Features(NamedTuple):
    """The features that rules are about, resolved."""

    json_format: str
    utf8_validation: str

    def overridden(self, options: Any) -> Features:
        """With what the options of a file, message, enum or field set themselves."""
        own: FeatureSet = options.features
        return Features(
            FeatureSet.JsonFormat.Name(own.json_format) if own.HasField("json_format") else self.json_format,
            (
                FeatureSet.Utf8Validation.Name(own.utf8_validation)
                if own.HasField("utf8_validation")
                else self.utf8_validation
            ),
        )


@dataclass(frozen=True, slots=True, eq=False)
class FieldNode:
    """A field of a message, or an extension; `owner` is the message that it is a field of."""

    name: str
    full_name: str
    owner: str
    proto: FieldDescriptorProto
    descriptor: FieldDescriptor
    oneof: str  # "" outside a real oneof
    features: Features
    in_map_entry: bool
    place: Place

    @property
    def is_extension(self) -> bool:
        return bool(self.proto.extendee)

    @property
    def kind(self) -> str:
        """The type as it is on the wire: "group" for every delimited message."""
        return _KINDS[self.descriptor.type]

    @property
    def type(self) -> str:
        """The type's name as one would write it."""
        return self.proto.type_name.removeprefix(".") or self.kind

    @property
    def cardinality(self) -> str:
        """ "repeated", "map", "required", or "optional" with explicit or implicit presence."""
        descriptor = self.descriptor
        if descriptor.is_repeated:
            entry = descriptor.message_type
            return "map" if entry is not None and entry.GetOptions().map_entry else "repeated"
        if descriptor.is_required:
            return "required"
        return "optional with explicit presence" if descriptor.has_presence else "optional with implicit presence"


@dataclass(frozen=True, slots=True, eq=False)
class MessageNode:
    name: str
    full_name: str
    proto: DescriptorProto
    features: Features
    place: Place
    fields: Mapping[int, FieldNode]

    @property
    def oneofs(self) -> frozenset[str]:
        """The names of its real oneofs."""
        synthetic = {one.oneof_index for one in self.proto.field if one.proto3_optional}
        return frozenset(one.name for index, one in enumerate(self.proto.oneof_decl) if index not in synthetic)


@dataclass(frozen=True, slots=True, eq=False)
class EnumNode:
    name: str
    full_name: str
    proto: EnumDescriptorProto
    features: Features
    closed: bool
    place: Place
    values: Mapping[int, Mapping[str, Place]]  # by number, then name

    @property
    def scope(self) -> str:
        """Where its values' names live, with a dot: beside the enum, not in it."""
        return self.full_name.removesuffix(self.name)


@dataclass(frozen=True, slots=True, eq=False)
class RpcNode:
    name: str
    full_name: str
    proto: MethodDescriptorProto
    place: Place


@dataclass(frozen=True, slots=True, eq=False)
class ServiceNode:
    name: str
    full_name: str
    proto: ServiceDescriptorProto
    place: Place
    rpcs: Mapping[str, RpcNode]


@dataclass(frozen=True, slots=True, eq=False)
class FileNode:
    """A file and all it declares; messages, enums and extensions by their names below the package ("Outer.Inner")."""

    path: str
    proto: FileDescriptorProto
    place: Place
    messages: dict[str, MessageNode] = field(default_factory=dict)
    enums: dict[str, EnumNode] = field(default_factory=dict)
    extensions: dict[str, FieldNode] = field(default_factory=dict)
    services: dict[str, ServiceNode] = field(default_factory=dict)

    @property
    def package(self) -> str:
        return self.proto.package

    @property
    def prefix(self) -> str:
        """The package with a dot, "" for none."""
        return f"{self.package}." if self.package else ""

    def nearest(self, nested_name: str) -> Place:
        """Where something that is no longer in the file would be: in the innermost message around it that is."""
        outer = nested_name
        while outer:
            outer = outer.rpartition(".")[0]
            if outer in self.messages:
                return self.messages[outer].place
        return self.place


class Schema:
    """The files of a descriptor set that are compared, and all they declare by full name.

    `folder` is where files are shown to lie that are not there any more.
    """

    __slots__ = ("enums", "extensions", "files", "folder", "messages", "services")

    def __init__(
        self,
        descriptor_set: FileDescriptorSet,
        scope: Collection[str],
        infos: Mapping[str, SourceInfo] | None = None,
        folder: str = "",
    ) -> None:
        """`scope` has the import paths of the files to compare, `infos` their source info, where it is known.

        Raises TypeError where the descriptors are not those of a contract that compiles.
        """
        pool = DescriptorPool()  # a private one: two contracts in one process must not meet
        for file in descriptor_set.file:
            pool.AddSerializedFile(file.SerializeToString())
        self.folder = folder
        self.files = {
            file.name: _FileReader(file, (infos or {}).get(file.name) or SourceInfo(file, file.name), pool).read()
            for file in descriptor_set.file
            if file.name in scope
        }
        nodes = list(self.files.values())
        self.messages = {message.full_name: message for file in nodes for message in file.messages.values()}
        self.enums = {enum.full_name: enum for file in nodes for enum in file.enums.values()}
        self.services = {service.full_name: service for file in nodes for service in file.services.values()}
        self.extensions = {
            (extension.owner, extension.proto.number): extension
            for file in nodes
            for extension in file.extensions.values()
        }

    def place_of(self, path: str) -> Place:
        """Where the file of that import path is, or was."""
        file = self.files.get(path)
        return file.place if file else Place(f"{self.folder}/{path}" if self.folder else path)

    def names(self) -> Iterator[str]:
        """The full name of everything that callers can see: types, fields, values, services and RPCs."""
        for message in self.messages.values():
            yield message.full_name
            yield from (one.full_name for one in message.fields.values())
        for enum in self.enums.values():
            yield enum.full_name
            yield from (f"{enum.scope}{name}" for names in enum.values.values() for name in names)
        for service in self.services.values():
            yield service.full_name
            yield from (rpc.full_name for rpc in service.rpcs.values())
        yield from (extension.full_name for extension in self.extensions.values())


class _FileReader:
    """Reads one file; what its syntax or edition makes of it comes from the pool, which resolves features."""

    __slots__ = ("_info", "_node", "_pool")

    def __init__(self, file: FileDescriptorProto, info: SourceInfo, pool: DescriptorPool) -> None:
        self._node = FileNode(file.name, file, info.place((_PACKAGE,), (_SYNTAX,), (_EDITION,)))
        self._info = info
        self._pool = pool

    def read(self) -> FileNode:
        file = self._node.proto
        old = file.syntax in ("", "proto2")
        features = Features("LEGACY_BEST_EFFORT", "NONE") if old else Features("ALLOW", "VERIFY")
        features = features.overridden(file.options)
        for index, message in enumerate(file.message_type):
            self._message(message, "", features, (_FILE_MESSAGE, index), None)
        for index, enum in enumerate(file.enum_type):
            self._enum(enum, "", features, (_FILE_ENUM, index))
        for index, extension in enumerate(file.extension):
            self._extension(extension, "", features, (_FILE_EXTENSION, index))
        for index, service in enumerate(file.service):
            self._service(service, (_FILE_SERVICE, index))
        return self._node

    def _message(
        self, proto: DescriptorProto, scope: str, around: Features, path: _Path, map_place: Place | None
    ) -> None:
        """Reads a message and all it nests; `map_place` is the map field's whose entry it is."""
        nested_name = f"{scope}{proto.name}"
        full_name = f"{self._node.prefix}{nested_name}"
        features = around.overridden(proto.options)
        descriptors = self._pool.FindMessageTypeByName(full_name).fields_by_number
        fields = {
            one.number: self._field(
                one,
                descriptors[one.number],
                full_name,
                proto,
                features,
                map_place or self._info.place((*path, _MESSAGE_FIELD, index)),
            )
            for index, one in enumerate(proto.field)
        }
        place = map_place or self._info.place(path)
        self._node.messages[nested_name] = MessageNode(proto.name, full_name, proto, features, place, fields)
        entries = {
            one.proto.type_name.rpartition(".")[2]: one.place for one in fields.values() if one.cardinality == "map"
        }
        for index, nested in enumerate(proto.nested_type):
            entry = entries.get(nested.name) if nested.options.map_entry else None
            self._message(nested, f"{nested_name}.", features, (*path, _MESSAGE_NESTED, index), entry)
        for index, enum in enumerate(proto.enum_type):
            self._enum(enum, f"{nested_name}.", features, (*path, _MESSAGE_ENUM, index))
        for index, extension in enumerate(proto.extension):
            self._extension(extension, f"{nested_name}.", features, (*path, _MESSAGE_EXTENSION, index))

    def _field(
        self,
        proto: FieldDescriptorProto,
        descriptor: FieldDescriptor,
        owner: str,
        parent: DescriptorProto,
        around: Features,
        place: Place,
    ) -> FieldNode:
        in_oneof = proto.HasField("oneof_index") and not proto.proto3_optional
        return FieldNode(
            name=proto.name,
            full_name=f"{owner}.{proto.name}",
            owner=owner,
            proto=proto,
            descriptor=descriptor,
            oneof=parent.oneof_decl[proto.oneof_index].name if in_oneof else "",
            features=around.overridden(proto.options),
            in_map_entry=parent.options.map_entry,
            place=place,
        )

    def _extension(self, proto: FieldDescriptorProto, scope: str, around: Features, path: _Path) -> None:
        nested_name = f"{scope}{proto.name}"
        full_name = f"{self._node.prefix}{nested_name}"
        self._node.extensions[nested_name] = FieldNode(
            name=proto.name,
            full_name=full_name,
            owner=proto.extendee.removeprefix("."),
            proto=proto,
            descriptor=self._pool.FindExtensionByName(full_name),
            oneof="",
            features=around.overridden(proto.options),
            in_map_entry=False,
            place=self._info.place(path),
        )

    def _enum(self, proto: EnumDescriptorProto, scope: str, around: Features, path: _Path) -> None:
        nested_name = f"{scope}{proto.name}"
        full_name = f"{self._node.prefix}{nested_name}"
        values: dict[int, dict[str, Place]] = {}
        for index, value in enumerate(proto.value):
            values.setdefault(value.number, {})[value.name] = self._info.place((*path, _ENUM_VALUE, index))
        closed = self._pool.FindEnumTypeByName(full_name).is_closed
        features = around.overridden(proto.options)
        place = self._info.place(path)
        self._node.enums[nested_name] = EnumNode(proto.name, full_name, proto, features, closed, place, values)

    def _service(self, proto: ServiceDescriptorProto, path: _Path) -> None:
        full_name = f"{self._node.prefix}{proto.name}"
        rpcs = {
            rpc.name: RpcNode(
                rpc.name, f"{full_name}.{rpc.name}", rpc, self._info.place((*path, _SERVICE_METHOD, index))
            )
            for index, rpc in enumerate(proto.method)
        }
        self._node.services[proto.name] = ServiceNode(proto.name, full_name, proto, self._info.place(path), rpcs)
