"""The message that every runtime benchmark sends: one order, as protobuf and as JSON."""

from __future__ import annotations

import json
import struct
from typing import Any

METHOD_PATH = "/shop.v1.OrderService/PlaceOrder"
REST_PATH = "/v1/customers/c-1029/orders"

_ORDER: dict[str, Any] = {
    "name": "customers/c-1029/orders/2025-000417",
    "state": "DRAFT",
    "lines": [
        {"sku": "SKU-11873", "quantity": 2, "price": 19.95},
        {"sku": "SKU-00412", "quantity": 1, "price": 249.0},
    ],
    "address": {"street": "112 Old Harbour Street", "city": "Port Ellen", "postcode": "PA42 7AA", "country": "GB"},
    "labels": {"channel": "web", "campaign": "autumn"},
    "discount": 0.05,
    "gift": True,
}

JSON = json.dumps(_ORDER, separators=(",", ":")).encode()


def _tag(number: int, wire_type: int) -> bytes:
    return bytes((number << 3 | wire_type,))


def _bytes(number: int, value: bytes) -> bytes:
    return _tag(number, 2) + bytes((len(value),)) + value


def _text(number: int, value: str) -> bytes:
    return _bytes(number, value.encode())


def _binary(order: dict[str, Any]) -> bytes:
    """The order in protobuf's wire format, written out here so that a load generator needs no generated code."""
    pieces = [_text(1, "c-1029"), _text(2, order["name"]), _tag(3, 0) + b"\x01"]
    for line in order["lines"]:
        price = _tag(3, 1) + struct.pack("<d", line["price"])
        pieces.append(_bytes(4, _text(1, line["sku"]) + _tag(2, 0) + bytes((line["quantity"],)) + price))
    pieces.append(_bytes(5, b"".join(_text(at, text) for at, text in enumerate(order["address"].values(), 1))))
    pieces += [_bytes(6, _text(1, key) + _text(2, value)) for key, value in order["labels"].items()]
    pieces.append(_tag(7, 1) + struct.pack("<d", order["discount"]) + _tag(8, 0) + b"\x01")
    return b"".join(pieces)


BINARY = _binary(_ORDER)
