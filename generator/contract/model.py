"""A contract as frozen values: services, messages and their options, with every name's place."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from generator.contract.source_info import SourceInfo
from generator.errors import Place


class Kind(enum.Enum):
    """The four RPC kinds."""

    UNARY = "unary"
    CLIENT_STREAM = "client_stream"
    SERVER_STREAM = "server_stream"
    BIDI = "bidi"

    @property
    def streams_requests(self) -> bool:
        return self in (Kind.CLIENT_STREAM, Kind.BIDI)

    @property
    def streams_responses(self) -> bool:
        return self in (Kind.SERVER_STREAM, Kind.BIDI)


@dataclass(frozen=True, slots=True)
class Field:
    """A message's field, as its descriptor says; `type` is the lower-case proto type name."""

    name: str
    json_name: str
    number: int
    type: str  # "int32", "string", "message", "enum", "group", …
    type_name: str  # full name of the message or enum, "" for scalars
    repeated: bool
    is_map: bool
    map_key_type: str  # scalar type, "" unless is_map
    map_value_type: str  # scalar type, "message" or "enum"; "" unless is_map
    map_value_type_name: str
    has_presence: bool
    required: bool  # proto2 `required` / editions LEGACY_REQUIRED
    oneof: str  # "" outside a (real) oneof
    behaviors: frozenset[str]  # google.api.field_behavior names: "REQUIRED", "OUTPUT_ONLY", …
    deprecated: bool
    debug_redact: bool
    comment: str
    place: Place


@dataclass(frozen=True, slots=True)
class Oneof:
    """A real oneof (never the synthetic one of a proto3 `optional`)."""

    name: str
    fields: tuple[str, ...]
    comment: str


@dataclass(frozen=True, slots=True)
class EnumValue:
    name: str
    number: int
    deprecated: bool
    comment: str


@dataclass(frozen=True, slots=True)
class Enum:
    full_name: str  # "pkg.Outer.Color"
    name: str
    file: str  # import path of the .proto
    values: tuple[EnumValue, ...]
    closed: bool
    deprecated: bool
    comment: str
    place: Place


@dataclass(frozen=True, slots=True)
class Message:
    full_name: str  # "pkg.Outer.Inner"
    name: str
    file: str
    fields: tuple[Field, ...]  # in declaration order
    oneofs: tuple[Oneof, ...]
    map_entry: bool
    deprecated: bool
    comment: str
    place: Place

    def field(self, name: str) -> Field | None:
        """The field of that proto name, if there is one."""
        return next((field for field in self.fields if field.name == name), None)


@dataclass(frozen=True, slots=True)
class Variable:
    """A path template's variable: the dotted field path it fills and the segments it captures."""

    field_path: tuple[str, ...]
    segments: tuple[str, ...]  # literals, "*" or "**"


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """A parsed `google.api.http` path template.

    `segments` is the template with its variables replaced by what they capture: literals (percent-decoded),
    "*" and "**". `captures` gives, for each variable, its slice of `segments`: start (inclusive), end
    (exclusive). A literal "*" cannot occur: the grammar forbids it.
    """

    text: str
    segments: tuple[str, ...]
    variables: tuple[Variable, ...]
    captures: tuple[tuple[int, int], ...]  # one per variable, in the order of `variables`
    verb: str  # without the colon, "" for none


@dataclass(frozen=True, slots=True)
class HttpRule:
    """One binding of an RPC to REST; `additional_bindings` are rules of their own."""

    verb: str  # "GET", "PUT", "POST", "DELETE", "PATCH", a custom kind, or "*"
    template: PathTemplate
    body: str  # "", "*" or a field of the request
    response_body: str  # "" or a field of the response
    additional: bool  # whether it came from additional_bindings
    place: Place


@dataclass(frozen=True, slots=True)
class Rpc:
    name: str
    full_name: str  # "pkg.Service.Method"
    path: str  # "/pkg.Service/Method"
    kind: Kind
    request: str  # full name of the request message
    response: str
    rules: tuple[HttpRule, ...]
    idempotency: str  # "IDEMPOTENCY_UNKNOWN", "NO_SIDE_EFFECTS" or "IDEMPOTENT"
    deprecated: bool
    comment: str
    place: Place


@dataclass(frozen=True, slots=True)
class Service:
    name: str
    full_name: str  # "pkg.Service"
    file: str
    rpcs: tuple[Rpc, ...]
    deprecated: bool
    comment: str
    place: Place


@dataclass(frozen=True, slots=True)
class File:
    """One .proto file of the contract's closure.

    `provided` says that an installed package (protobuf, googleapis-common-protos) brings the Python module for
    it, so none is generated; `python_module` is that package's module, "" where it is ours to generate.
    """

    path: str  # import path, "orders/v1/orders.proto"
    package: str  # "" for none
    syntax: str  # "proto2", "proto3" or an edition: "2023"
    dependencies: tuple[str, ...]
    public_dependencies: tuple[str, ...]
    root: bool
    provided: bool
    python_module: str
    comment: str


@dataclass(frozen=True, slots=True)
class Contract:
    """Everything the .proto files say.

    `services` are those of the root files, in file and declaration order: what is served. `dependencies` has those of
    each dependency's contract, by its import path: what is called.
    """

    files: Mapping[str, File]  # by import path, dependencies before dependants
    services: tuple[Service, ...]
    messages: Mapping[str, Message]  # by full name, the whole closure, map entries included
    enums: Mapping[str, Enum]
    descriptor_set: FileDescriptorSet = field(repr=False, compare=False)  # the closure, without source info
    dependencies: Mapping[str, tuple[Service, ...]] = field(default_factory=dict)
    source_info: Mapping[str, SourceInfo] = field(default_factory=dict, repr=False, compare=False)  # by import path

    def rpc(self, path: str) -> Rpc | None:
        """The RPC of that gRPC path ("/pkg.Service/Method"), if there is one."""
        return next((rpc for service in self.services for rpc in service.rpcs if rpc.path == path), None)
