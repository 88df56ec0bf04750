"""The REST routes that a contract's `google.api.http` annotations declare, read a second time and independently."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from google.api import annotations_pb2
from google.api.http_pb2 import HttpRule
from google.protobuf.descriptor_pb2 import FileDescriptorSet, ServiceDescriptorProto

from ..definition import Capture, Method, Route


def declared_routes(descriptor_set: bytes, methods: Sequence[Method]) -> tuple[Route, ...]:
    """The routes of these methods in a serialised descriptor set, in order; of two alike, the first."""
    services: dict[str, ServiceDescriptorProto] = {}
    for file in FileDescriptorSet.FromString(descriptor_set).file:
        for service in file.service:
            services[f"{file.package}.{service.name}" if file.package else service.name] = service
    found: dict[tuple[str, tuple[str, ...], str], Route] = {}
    for method in methods:
        for rule in _rules(services, method):
            route = route_of(rule, method)
            found.setdefault((route.verb, route.segments, route.suffix), route)
    return tuple(found.values())


def exposed_route(method: Method) -> Route:
    """The route of an RPC without an annotation, where the spec exposes all RPCs over REST."""
    segments = (method.service, method.name)
    return Route("POST", method.path, segments, suffix="", captures=(), body="*", response_body="", method=method)


def has_service_config(project: Path) -> bool:
    """Whether the project's routes come from service configurations too, which override annotations."""
    table: dict[str, Any] = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    return bool(table.get("tool", {}).get("holdfast", {}).get("service-config"))


def _rules(services: Mapping[str, ServiceDescriptorProto], method: Method) -> Iterator[HttpRule]:
    for rpc in services[method.service].method:
        if rpc.name == method.name and rpc.options.HasExtension(annotations_pb2.http):
            rule = rpc.options.Extensions[annotations_pb2.http]
            yield from (one for one in (rule, *rule.additional_bindings) if one.WhichOneof("pattern"))


def route_of(rule: HttpRule, method: Method) -> Route:
    """The route that one binding of the method declares."""
    pattern = rule.WhichOneof("pattern") or ""
    custom = pattern == "custom"
    verb, template = (rule.custom.kind, rule.custom.path) if custom else (pattern.upper(), getattr(rule, pattern))
    bare, suffix = _without_suffix(template)
    segments: list[str] = []
    captures: list[Capture] = []
    for part in _parts(bare):
        if part.startswith("{"):
            path, _, inner = part[1:-1].partition("=")
            taken = (inner or "*").split("/")
            captures.append(Capture(tuple(path.split(".")), len(segments), len(segments) + len(taken)))
            segments += map(unquote, taken)
        else:
            segments.append(unquote(part))
    return Route(
        verb=verb,
        template=template,
        segments=tuple(segments),
        suffix=suffix,
        captures=tuple(captures),
        body=rule.body,
        response_body=rule.response_body,
        method=method,
    )


def _without_suffix(template: str) -> tuple[str, str]:
    """The template and its custom verb: what follows the first colon behind its last segment's variable."""
    last = max(template.rfind("}"), template.rfind("/")) + 1
    tail, _, suffix = template[last:].partition(":")
    return template[:last] + tail, unquote(suffix)


def _parts(template: str) -> Iterator[str]:
    """The segments of a template, each variable with its own pattern as one."""
    part, depth = "", 0
    for letter in template[1:]:
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if letter == "/" and depth == 0:
            yield part
            part = ""
        else:
            part += letter
    if part:
        yield part
