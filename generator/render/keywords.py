"""Names of a contract that Python or its messages have taken: what protoc prints for them, mended or refused."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator

from google.protobuf.empty_pb2 import Empty

from generator.contract.model import Contract
from generator.errors import Finding, InputError

_KEYWORD = "|".join(keyword.kwlist)
_OF_EVERY_MESSAGE = frozenset(name for name in dir(Empty) if not name.startswith("_"))
_ENUM_VALUE = re.compile(rf"^ *(?:{_KEYWORD}): .*\n", re.MULTILINE)
_GRPC_NAMES = re.compile(
    rf"(?P<before>^ *self\.|^ *def |^class |\bservicer\.)(?P<name>{_KEYWORD})(?P<after> = |\(|,|:$)", re.MULTILINE
)


def check(contract: Contract) -> None:
    """Raises InputError where the contract's own files have a message or an enum that no Python module can name.

    So it does for a field that stands before what every message has: `message.CopyFrom` would be its value.
    """
    if findings := list(_findings(contract)):
        raise InputError(findings)


def _findings(contract: Contract) -> Iterator[Finding]:
    for what, types in (("message", contract.messages), ("enum", contract.enums)):
        for found in types.values():
            if keyword.iskeyword(found.name) and not contract.files[found.file].provided:
                message = f"no Python module can hold a {what} named `{found.name}`: it is a keyword"
                yield Finding(found.place, "keyword-as-type", message, "choose another name")
    for owner in contract.messages.values():
        for field in owner.fields:
            if field.name in _OF_EVERY_MESSAGE and not contract.files[owner.file].provided:
                message = f"the field `{field.name}` hides what every message has under that name in Python"
                yield Finding(field.place, "hiding-field", message, "choose another name, and keep the number")


def mended(text: str, suffix: str) -> str:
    """protoc's output with its keywords out of the way; `suffix` tells which of its files it is.

    Enum values leave the type stub, as the fields that protoc leaves out itself: `getattr` and `Value("None")` reach
    them. RPCs and services take a trailing `_`, as they do for handlers.
    """
    if suffix == "_pb2.pyi":
        return _ENUM_VALUE.sub("", text)
    if suffix == "_pb2_grpc.py":
        return _GRPC_NAMES.sub(r"\g<before>\g<name>_\g<after>", text)
    return text
