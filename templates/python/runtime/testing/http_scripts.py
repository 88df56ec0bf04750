"""Scripts of stand-ins for dependencies over HTTP: JSON in answer, and a script for each kind of request."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing

import orjson
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Value
from grpc import StatusCode

from ..errors import ServiceError
from .scripted import Messages, Received, Script, answering


def answering_json(value: object) -> Script:
    """Read the request, then answer with that as JSON; numbers are JavaScript's."""
    return answering(json_format.Parse(orjson.dumps(value), Value()))


def by_request(scripts: Mapping[str, Script]) -> Script:
    """Follow the first script whose operation the request is of (`GET /rates/{base}`); NOT_FOUND, 404, is any other."""

    async def play(received: Received) -> Messages:
        request = received.http
        for operation, script in scripts.items():
            verb, _, template = operation.partition(" ")
            if request.verb == verb and request.values(template) is not None:
                async with aclosing(script(received)) as responses:
                    async for response in responses:
                        yield response
                return
        raise ServiceError(StatusCode.NOT_FOUND, f"no script is for {request.verb} {request.path}")

    return play
