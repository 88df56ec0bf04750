"""Serves a project's definition with scripted handlers: `python scripted_service.py PACKAGE` prints the REST port's URL.

Handlers answer with what they were sent, where the response has the request's type, and with samples. A field that is
INPUT_ONLY they leave out, as a handler must.
"""

from __future__ import annotations

import asyncio
import importlib
import itertools
import sys
from collections.abc import AsyncGenerator
from typing import Any

from google.api import field_behavior_pb2


def without_input_only(message: Any) -> Any:
    """The message as a service may answer it."""
    for field in message.DESCRIPTOR.fields:
        if field_behavior_pb2.INPUT_ONLY in field.GetOptions().Extensions[field_behavior_pb2.field_behavior]:
            message.ClearField(field.name)
    return message


async def main(package: str) -> None:
    definition = importlib.import_module(f"{package}.gen.definition").DEFINITION
    testing = importlib.import_module(f"{package}.runtime.testing")
    calls = itertools.count()

    async def script(received: Any) -> AsyncGenerator[Any, None]:
        await received.read()
        method, call = received.method, next(calls)
        samples = testing.variants(method.response)
        answer = testing.sample(method.response, call // 2 % samples)
        if method.request is method.response and received.requests and call % 2:
            answer = received.requests[0]
        for _ in range(call % 3 if method.kind.streams_responses else 1):
            yield without_input_only(answer)

    scripted = testing.Scripted(definition, script)
    async with testing.serving(testing.under_test(definition), scripted.application) as served:
        print(served.client.addresses.rest, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
