"""Python's keywords among a contract's names: what protoc prints for them that is no Python, mended or refused."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator

from generator.contract.model import Contract
from generator.errors import Finding, InputError

_KEYWORD = "|".join(keyword.kwlist)
_ENUM_VALUE = re.compile(rf"^ *(?:{_KEYWORD}): .*\n", re.MULTILINE)
_GRPC_NAMES = re.compile(
    rf"(?P<before>^ *self\.|^ *def |^class |\bservicer\.)(?P<name>{_KEYWORD})(?P<after> = |\(|,|:$)", re.MULTILINE
)


def check(contract: Contract) -> None:
    """Raises InputError for each message or enum of the contract's own files that no Python module can name."""
    if findings := list(_findings(contract)):
        raise InputError(findings)


def _findings(contract: Contract) -> Iterator[Finding]:
    for what, types in (("message", contract.messages), ("enum", contract.enums)):
        for found in types.values():
            if keyword.iskeyword(found.name) and not contract.files[found.file].provided:
                message = f"no Python module can hold a {what} named `{found.name}`: it is a keyword"
                yield Finding(found.place, "keyword-as-type", message, "choose another name")


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
