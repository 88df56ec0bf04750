"""Responses that cannot be sent: what the caller is told, the log and the metrics say alike."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from grpc import StatusCode
from runtime.call import Call
from runtime.definition import Application, Route
from runtime.logs import LineWriter
from runtime.pipeline import Endpoint, UserStage
from runtime.testing import Client, Entry, serving

from tests.runtime.wire_service import CHAT, COUNT, GATHER, UNARY, Item, Wire, definition

NO_FORM = {"any": {"type_url": "type.googleapis.com/no.Such", "value": b"\xff"}}


class Unsendable(Wire):
    """Answers with a message without a JSON form; `count` with the number it is asked for, as the last one."""

    async def unary(self, request: Any, call: Call) -> Any:
        return Item(**NO_FORM)

    async def gather(self, requests: AsyncIterator[Any], call: Call) -> Any:
        return Item(**NO_FORM)

    async def count(self, request: Any, call: Call) -> AsyncIterator[Any]:
        for number in range(request.i32 - 1):
            yield Item(i32=number)
        yield Item(**NO_FORM)

    async def chat(self, requests: AsyncIterator[Any], call: Call) -> AsyncIterator[Any]:
        async for _ in requests:
            yield Item(**NO_FORM)


def of(method: Any) -> Route:
    return next(route for route in definition().routes if route.method is method)


@asynccontextmanager
async def served(*stages: UserStage, handler: Wire | None = None) -> AsyncIterator[tuple[Client, Any]]:
    """A client, and what gives the last line of the access log and the metrics."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)

    @asynccontextmanager
    async def application(clients: Any) -> AsyncIterator[Application]:
        yield Application([handler or Unsendable()], stages)

    async with serving(definition(), application, writer=(writer := LineWriter(writing))) as running:

        async def seen() -> tuple[dict[str, Any], str]:
            await running.until_idle()
            writer.flush(wait=5.0)
            return json.loads(os.read(reading, 1 << 16).splitlines()[-1]), await running.client.admin_page("/metrics")

        yield running.client, seen
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("method", [UNARY, GATHER], ids=lambda method: method.name)
async def test_a_unary_response_without_a_json_form_is_internal_everywhere(method: Any) -> None:
    async with served() as (client, seen):
        outcome = await client.call(Entry(method, of(method)), [Item()])
        line, metrics = await seen()
    assert (outcome.http, outcome.code) == (500, StatusCode.INTERNAL)
    assert (line["code"], line["level"]) == ("INTERNAL", "ERROR")
    assert 'http_response_status_code="500"' in metrics
    assert 'http_response_status_code="200"' not in metrics


@pytest.mark.parametrize(("method", "number"), [(COUNT, 1), (COUNT, 3), (CHAT, 1)], ids=str)
async def test_a_stream_that_meets_a_message_without_one_ends_as_internal_everywhere(method: Any, number: int) -> None:
    async with served() as (client, seen):
        await client.call(Entry(method, of(method)), [Item(i32=number)])
        line, metrics = await seen()
    assert line["code"] == "INTERNAL"
    assert 'http_response_status_code="500"' in metrics
    assert 'http_response_status_code="200"' not in metrics


async def test_a_stage_that_takes_the_response_away_is_no_success() -> None:
    async def robbing(call: Call, proceed: Endpoint) -> None:
        await proceed(call)
        call.response = None

    stage = UserStage("robbing", robbing, before="error_mapper")
    async with served(stage) as (client, seen):
        outcome = await client.call(Entry(UNARY), [Item()])
        line, metrics = await seen()
    assert outcome.code is StatusCode.INTERNAL
    assert line["code"] == "INTERNAL"
    assert 'rpc_response_status_code="INTERNAL"' in metrics


async def test_a_stage_outside_may_put_another_response_in_its_place() -> None:
    async def replacing(call: Call, proceed: Endpoint) -> None:
        await proceed(call)
        call.response = Item(name="another")

    stage = UserStage("replacing", replacing, after="boundary")
    async with served(stage, handler=Wire()) as (client, _):
        over_grpc = await client.call(Entry(UNARY), [Item()])
        over_rest = await client.call(Entry(UNARY, of(UNARY)), [Item()])
    assert over_grpc.responses == over_rest.responses == (Item(name="another"),)
