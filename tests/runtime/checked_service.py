"""A service whose requests have rules: fields that are REQUIRED, an update with a mask, and a rule of buf.validate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from google.api import field_behavior_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, field_mask_pb2, message_factory
from runtime.definition import Definition, Kind, Method, Route, ServiceBase
from runtime.routing import Router
from runtime.snapshot import ValidationPolicy

from tests.runtime import sample_service

_FILE = "checked/v1/checked.proto"
_Field = descriptor_pb2.FieldDescriptorProto
SERVICE = "checked.v1.Checked"


def _add(
    message: descriptor_pb2.DescriptorProto,
    number: int,
    name: str,
    kind: Any,
    *,
    type_name: str = "",
    repeated: bool = False,
    behavior: int | None = None,
    rules: bytes = b"",
) -> None:
    label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
    added = message.field.add(name=name, number=number, type=kind, label=label, json_name=name)
    if type_name:
        added.type_name = type_name
    if behavior is not None:
        added.options.Extensions[field_behavior_pb2.field_behavior].append(behavior)
    if rules:  # (buf.validate.field), as a compiler writes it that knows the extension
        added.options.MergeFromString(b"\xba\x48" + bytes([len(rules)]) + rules)


def _file() -> descriptor_pb2.FileDescriptorProto:
    required, ours = field_behavior_pb2.REQUIRED, field_behavior_pb2.OUTPUT_ONLY
    file = descriptor_pb2.FileDescriptorProto(name=_FILE, package="checked.v1", syntax="proto3")
    file.dependency.extend(["google/api/field_behavior.proto", "google/protobuf/field_mask.proto"])
    line = file.message_type.add(name="Line")
    _add(line, 1, "sku", _Field.TYPE_STRING, behavior=required)
    _add(line, 2, "quantity", _Field.TYPE_INT32, behavior=required)
    _add(line, 3, "gift", _Field.TYPE_BOOL, behavior=required)
    _add(line, 4, "parts", _Field.TYPE_MESSAGE, type_name=".checked.v1.Line", repeated=True)
    order = file.message_type.add(name="Order")
    _add(order, 1, "lines", _Field.TYPE_MESSAGE, type_name=".checked.v1.Line", repeated=True, behavior=required)
    _add(order, 2, "first", _Field.TYPE_MESSAGE, type_name=".checked.v1.Line")
    _add(order, 3, "made", _Field.TYPE_MESSAGE, type_name=".checked.v1.Line", behavior=ours)
    entry = order.nested_type.add(name="ByNameEntry")
    entry.options.map_entry = True
    _add(entry, 1, "key", _Field.TYPE_STRING)
    _add(entry, 2, "value", _Field.TYPE_MESSAGE, type_name=".checked.v1.Line")
    _add(order, 4, "by_name", _Field.TYPE_MESSAGE, type_name=".checked.v1.Order.ByNameEntry", repeated=True)
    _add(order, 5, "name", _Field.TYPE_STRING, behavior=required)
    update = file.message_type.add(name="Update")
    _add(update, 1, "order", _Field.TYPE_MESSAGE, type_name=".checked.v1.Order", behavior=required)
    _add(update, 2, "update_mask", _Field.TYPE_MESSAGE, type_name=".google.protobuf.FieldMask")
    ruled = file.message_type.add(name="Ruled")
    _add(ruled, 1, "name", _Field.TYPE_STRING, rules=b"\x72\x02\x10\x03")  # string.min_len = 3
    _add(ruled, 2, "inner", _Field.TYPE_MESSAGE, type_name=".checked.v1.Ruled", repeated=True)
    return file


def _message(name: str) -> Any:
    pool = descriptor_pool.Default()
    try:
        pool.FindFileByName(_FILE)
    except KeyError:
        assert field_mask_pb2.DESCRIPTOR
        pool.AddSerializedFile(_file().SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"checked.v1.{name}"))


Line, Order, Update, Ruled = (_message(name) for name in ("Line", "Order", "Update", "Ruled"))


def _method(name: str, kind: Kind, request: Any) -> Method:
    return Method(f"/{SERVICE}/{name}", SERVICE, name, name.lower(), kind, request, sample_service.Note)


METHODS = (
    _method("Unary", Kind.UNARY, Line),
    _method("Gather", Kind.CLIENT_STREAM, Line),
    _method("Count", Kind.SERVER_STREAM, Line),
    _method("Chat", Kind.BIDI, Line),
    _method("Rule", Kind.UNARY, Ruled),
    _method("Rules", Kind.CLIENT_STREAM, Ruled),
)


class CheckedBase(ServiceBase):
    """The service's name and methods."""

    SERVICE: ClassVar[str] = SERVICE
    METHODS: ClassVar[tuple[Method, ...]] = METHODS


def definition() -> Definition:
    """The definition: every RPC over both protocols, every request checked."""
    base = sample_service.definition()
    plain = base.policies.methods[sample_service.ECHO.path]
    methods = {
        method.path: replace(
            plain,
            validation=(
                ValidationPolicy(protovalidate=True)
                if method.request is Ruled
                else ValidationPolicy(field_behavior=True)
            ),
        )
        for method in METHODS
    }
    routes = tuple(
        Route("POST", f"/v1/{method.handler}", ("v1", method.handler), "", (), "*", "", method) for method in METHODS
    )
    policies = replace(base.policies, methods=methods)
    return replace(base, name="checked", services=(CheckedBase,), router=Router(routes), policies=policies)
