"""The OpenAPI document of a plan."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from google.protobuf.descriptor_pb2 import DescriptorProto

from generator.contract.model import Contract, Service
from generator.errors import printable
from generator.plan.model import Plan
from generator.render.openapi import error_bodies, errors, parameters, paths, security
from generator.render.openapi.operations import Surface, operation
from generator.render.openapi.packed import with_error_details
from generator.render.openapi.scalars import Schema
from generator.render.openapi.schemas import Schemas

OPENAPI = "3.1.1"
_VERSION = re.compile(r"v[0-9]+[a-z0-9]*")
_SYSTEM_NOTE = """\
Fields have their JSON names here; their proto names are taken as well, in bodies and in the query. `HEAD` is served where
`GET` is. Metadata of any other name is sent as `Grpc-Metadata-<name>`. Every operation takes the query parameters `$fields` (a
mask of what the answer is to have), `$alt` (`json;enum-encoding=int` for enums as numbers) and `$prettyPrint`."""


def render(plan: Plan) -> bytes:
    """The document's text: two spaces of indentation, members in a fixed order, a line's end at its end."""
    text = json.dumps(document(plan), ensure_ascii=False, indent=2)
    # Only strings hold such characters, and what shows them in a finding escapes them in JSON too.
    return ("\n".join(map(printable, text.split("\n"))) + "\n").encode()


def document(plan: Plan) -> dict[str, object]:
    """The document of everything that the REST port serves of the contract."""
    rest = plan.spec.body.server.rest
    plan = replace(plan, contract=with_error_details(plan.contract))
    schemas = Schemas(plan.contract, _extendable(plan.contract), ignore_unknown=rest.unknown_fields == "ignore")
    responses = errors.error_responses(plan)
    headers = parameters.header_parameters(plan.spec.body.observability.propagate.metadata, _languages(plan))
    required = security.requirements(plan)
    methods = {method.rpc.path: method for method in plan.methods}
    surface = Surface(plan.contract, schemas, responses, plan.spec.body.errors.rest, headers, required, methods)
    schemes = security.schemes(plan)
    served = [route.rpc.full_name.rpartition(".")[0] for route in plan.routes]
    services = [service.service for service in plan.services if service.service.full_name in served]
    tags = _tags(services)
    return {
        "openapi": OPENAPI,
        "info": _info(plan),
        "tags": [_tag(service, tags[service.full_name]) for service in services],
        "paths": _paths(plan, surface, tags),
        "components": {
            "schemas": {**schemas.components(), **responses.schemas},
            "responses": dict(responses.responses),
            "parameters": {header.component: dict(header.parameter) for header in headers},
            "headers": {
                "Retry-After": error_bodies.retry_after_header(),
                **({"WWW-Authenticate": error_bodies.challenge_header()} if schemes else {}),
            },
            **({"securitySchemes": schemes} if schemes else {}),
        },
    }


def _info(plan: Plan) -> Schema:
    comments = [plan.contract.files[service.service.file].comment for service in plan.services]
    first = next((comment for comment in comments if comment), "")
    return {
        "title": plan.name,
        "version": _version(plan),
        "description": "\n\n".join(filter(None, [first, _SYSTEM_NOTE])),
    }


def _version(plan: Plan) -> str:
    """The version that the package of the first service ends with, as in `orders.v1`."""
    for service in plan.services:
        package = plan.contract.files[service.service.file].package
        last = package.rpartition(".")[2]
        if _VERSION.fullmatch(last):
            return last
    return "unversioned"


def _paths(plan: Plan, surface: Surface, tags: Mapping[str, str]) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    names = _Names()
    for route, path in zip(plan.routes, paths.spell(plan.routes), strict=True):
        item = found.setdefault(path.path, {})
        tag = tags[route.rpc.full_name.rpartition(".")[0]]
        for method in path.methods:
            name = names.unique(f"{tag}_{route.rpc.name}".replace(".", "_"))
            made = operation(surface, route, path, tag=tag, name=name, method=method)
            if method.upper() in paths.KNOWN_METHODS:
                item[method] = made
            else:
                others = item.setdefault("x-additionalOperations", {})
                assert isinstance(others, dict)  # noqa: S101 - as it was made just now
                others[method] = made
    return {path: item for path, item in found.items() if item}


class _Names:
    """Names for operations, each once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def unique(self, name: str) -> str:
        found, count = name, 1
        while found in self._taken:
            count += 1
            found = f"{name}_{count}"
        self._taken.add(found)
        return found


def _tags(services: Sequence[Service]) -> Mapping[str, str]:
    """The services' short names by their full ones; full ones where a short one is another's, too."""
    short = [service.name for service in services]
    return {
        service.full_name: service.name if short.count(service.name) == 1 else service.full_name for service in services
    }


def _tag(service: Service, name: str) -> Schema:
    return {"name": name, **({"description": service.comment} if service.comment else {})}


def _languages(plan: Plan) -> Sequence[str]:
    return list(dict.fromkeys(language for row in plan.errors for language in row.messages))


def _extendable(contract: Contract) -> frozenset[str]:
    """The messages that extensions may add members to."""
    found: set[str] = set()

    def visit(message: DescriptorProto, prefix: str) -> None:
        name = prefix + message.name
        if message.extension_range:
            found.add(name)
        for nested in message.nested_type:
            visit(nested, f"{name}.")

    for file in contract.descriptor_set.file:
        for message in file.message_type:
            visit(message, f"{file.package}." if file.package else "")
    return frozenset(found)
