"""One HTTP request to a dependency: its address, made of parts that cannot change each other, and its body."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, TypeAlias
from urllib.parse import quote, urlencode, urlsplit

import orjson
from google.protobuf.message import Message

from ..protojson.writing import Style, to_json

IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""The methods that may be repeated. Source: RFC 9110, section 9.2.2; TRACE and CONNECT are for no client of a service."""

VERBS: Final = (*sorted(IDEMPOTENT), "PATCH", "POST")
"""The methods that requests are made with."""

NO_VALUES: Final[Mapping[str, str]] = MappingProxyType({})

Value: TypeAlias = str | int | float | bool
Query: TypeAlias = Mapping[str, Value | Sequence[Value]]
Body: TypeAlias = Message | bytes | dict[str, Any] | list[Any]
"""A message goes out as ProtoJSON, bytes as they are, anything else as JSON."""

_VARIABLE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_JSON: Final = "application/json"


def _no_values() -> Mapping[str, str]:
    return NO_VALUES


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What is sent, the same on each attempt; headers are the call's metadata."""

    verb: str
    target: str  # path and query, percent-encoded
    body: bytes | None = None
    content_type: str = ""  # "" without a body
    redirects: int = 0  # how many are followed
    template: str = ""  # what `target` was made of, and the values
    path: Mapping[str, str | int] = field(default_factory=_no_values)
    query: Query = field(default_factory=_no_values)

    def as_of(self, template: str) -> HttpRequest:
        """The same request with its path's values by their names in another template of its shape."""
        values = [self.path[name] for name in _VARIABLE.findall(self.template)]
        return replace(self, template=template, path=dict(zip(_VARIABLE.findall(template), values, strict=True)))


def shape(template: str) -> str:
    """The template without the names of its variables: two of one shape are the same address."""
    return _VARIABLE.sub("{}", template)


def target_of(template: str, path: Mapping[str, str | int], query: Query) -> str:
    """Path and query, percent-encoded.

    A value fills what its variable stands for and nothing else: neither `/` nor `?` in it counts. Raises ValueError for
    variables without a value and values without a variable, and for a value that is empty or makes a segment `.` or
    `..`: percent-encoded or not, such a segment names another path.
    """
    if not template.startswith("/") or "?" in template or "#" in template:
        raise ValueError(f"{template!r} is no path: it begins with '/', and has neither '?' nor '#'")
    used: set[str] = set()

    def value_of(variable: re.Match[str]) -> str:
        name = variable[1]
        used.add(name)
        value = str(path.get(name, ""))
        if not value:
            raise ValueError(f"no value for {variable[0]} of {template}")
        return quote(value, safe="")

    filled = _VARIABLE.sub(value_of, template)
    if used != path.keys():
        raise ValueError(f"{template} has no {{{min(path.keys() - used)}}}")
    if "/." in filled and not {".", ".."}.isdisjoint(filled.split("/")):
        raise ValueError(f"a value makes another path of {template}")
    filled = quote(filled, safe="/%:@!$&'()*+,;=-._~")
    return f"{filled}?{urlencode(_pairs(query), quote_via=quote)}" if query else filled


def base_of(target: str, *, secure: bool = False) -> str:
    """The dependency's URL without a slash at its end.

    Raises ValueError for a URL that is none of a base: of another scheme (`secure`: than https), with credentials, a
    query or a fragment.
    """
    parts = urlsplit(target)
    if parts.scheme not in ("http", "https"):
        raise ValueError("it must begin with http:// or https://")
    if secure and parts.scheme != "https":
        raise ValueError("it must begin with https://, as the spec has TLS for it")
    if not parts.hostname or parts.port == 0:
        raise ValueError("it names no host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("credentials do not belong there: send them in a header")
    if parts.query or parts.fragment or "?" in target or "#" in target:
        raise ValueError("a query or a fragment does not belong there")
    if not target.isascii() or not target.isprintable() or " " in target:
        raise ValueError("it has characters that no URL can have")
    return target.rstrip("/")


def content_of(body: Body | None) -> tuple[bytes | None, str]:
    """The bytes of a body and their media type, "" without any. Raises TypeError for what is no JSON."""
    if body is None:
        return None, ""
    if isinstance(body, bytes):
        return body, "application/octet-stream"
    return orjson.dumps(to_json(body, Style()) if isinstance(body, Message) else body), _JSON


def _pairs(query: Query) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        values = (value,) if isinstance(value, str | int | float) else value
        pairs += [(name, _text(each)) for each in values]
    return pairs


def _text(value: Value) -> str:
    return ("false", "true")[value] if isinstance(value, bool) else str(value)
