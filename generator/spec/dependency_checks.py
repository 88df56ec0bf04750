"""What must hold in a dependency: keys that its protocol has a use for, and how its connections are kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from generator.document import Path
from generator.spec.dependencies import Dependency
from generator.spec.fields import fields
from generator.spec.http_checks import check_http
from generator.spec.units import format_duration

SHORTEST_KEEPALIVE: Final = 10.0
"""Seconds; gRPC proposal A8, "Client-side Keepalive", allows none that is shorter."""

_HOST: Final = re.compile(r"(?:dns:(?://[^/\s]*/)?)?(?:\[[0-9A-Fa-f:.%]+\]|[^\s:/\[\]]+)(?::(?P<port>[0-9]{1,5}))?")
_OTHER_NAME: Final = re.compile(r"(?:unix|unix-abstract|vsock|ipv4|ipv6|xds):\S+")

_OF_GRPC: Final = frozenset(
    {
        "contract",
        "loadBalancing",
        "keepalive",
        "maxMessageBytes",
        "maxMetadataBytes",
    }
)
_OF_HTTP: Final = frozenset({"maxResponseBytes"})
_OF_REDIS: Final = frozenset({"protocol", "target", "timeout", "optional"})

Found = tuple[Path, str, str, str]
"""Where, the finding's id, what, and a hint."""


def check_dependency(path: Path, dependency: Dependency) -> Iterator[Found]:
    """Everything wrong with the dependency at `path` by itself."""
    protocol = dependency.protocol
    if protocol == "grpc" and dependency.contract is None:
        yield path, "missing-key", "a dependency of protocol grpc needs contract", "name its .proto file"
    for key, field in fields(Dependency).items():
        if field.attribute in dependency.model_fields_set and _useless(key, protocol):
            hint = "only gRPC dependencies have one" if protocol == "http" else "remove it"
            yield (*path, key), "useless-key", f"has no effect with protocol: {protocol}", hint
    if protocol == "redis" and dependency.timeout is not None and dependency.timeout.total is not None:
        hint = "connect and attempt bound a command"
        yield (*path, "timeout", "total"), "useless-key", "has no effect with protocol: redis", hint
    yield from _target(path, dependency)
    if protocol == "http":
        yield from check_http(path, dependency)
    if protocol != "redis":
        yield from _connections(path, dependency)


def _connections(path: Path, dependency: Dependency) -> Iterator[Found]:
    encrypted = dependency.tls.mode != "off" and dependency.protocol == "grpc"  # over HTTP, other files replace nothing
    replaced = dependency.max_connection_age is not None or encrypted
    if "max_connection_age_grace" in dependency.model_fields_set and not replaced:
        message = "has no effect without maxConnectionAge" + (" or tls" if dependency.protocol == "grpc" else "")
        yield (*path, "maxConnectionAgeGrace"), "useless-key", message, "connections are not replaced otherwise"
    keepalive = dependency.keepalive
    if keepalive is not None and 0 < keepalive.time < SHORTEST_KEEPALIVE:
        message = f"{format_duration(keepalive.time)} is less than {format_duration(SHORTEST_KEEPALIVE)}"
        hint = "gRPC allows no more pings than that, and most servers far fewer: one in 5m"
        yield (*path, "keepalive", "time"), "wrong-value", message, hint


def _useless(key: str, protocol: str) -> bool:
    if protocol == "redis":
        return key not in _OF_REDIS
    return key in (_OF_GRPC if protocol == "http" else _OF_HTTP)


def _reaches_somebody(target: str) -> bool:
    """Whether gRPC can make something of the target, by its name syntax (grpc/doc/naming.md)."""
    found = _HOST.fullmatch(target)
    return bool(_OTHER_NAME.fullmatch(target)) or (found is not None and 0 < int(found["port"] or 443) < 1 << 16)


def _target(path: Path, dependency: Dependency) -> Iterator[Found]:
    if not dependency.target:
        if "target" in dependency.model_fields_set:
            yield (*path, "target"), "wrong-value", "is empty", "the environment may override it, and may not"
        return
    if dependency.protocol == "grpc" and not _reaches_somebody(dependency.target):
        message = f"'{dependency.target}' is no host and port that gRPC could call"
        yield (*path, "target"), "wrong-value", message, "for example dns:///inventory:50051, or inventory:50051"
    expected = ("redis://", "rediss://", "unix://")
    if dependency.protocol == "redis" and not dependency.target.startswith(expected):
        message = f"'{dependency.target}' does not start with {' or '.join(expected)}"
        yield (*path, "target"), "wrong-value", message, ""
    elif dependency.protocol == "http" and dependency.target.startswith("http://") and dependency.tls.mode != "off":
        message = f"has no effect with the target '{dependency.target}'"
        yield (*path, "tls"), "useless-key", message, "an address that is spoken to with TLS begins with https://"
