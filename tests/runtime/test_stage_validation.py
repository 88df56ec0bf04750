"""Validation: required fields at any depth, rules of buf.validate, over both protocols and the four kinds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from google.rpc.error_details_pb2 import BadRequest
from grpc import StatusCode
from runtime.testing import Client, Entry, Scripted, answering, entries, serving
from runtime.validation.required import RequiredFields

from tests.runtime.checked_service import Line, Order, Ruled, Update, definition

pytestmark = pytest.mark.asyncio(loop_scope="module")

DEFINITION = definition()
ENTRIES = entries(DEFINITION)
PLAIN = [entry for entry in ENTRIES if entry.method.request is Line]
RULED = [entry for entry in ENTRIES if entry.method.request is Ruled]
GOOD = Line(sku="ink", quantity=1)


def missing(message: Any) -> list[str]:
    return [violation.field for violation in RequiredFields(type(message).DESCRIPTOR).missing(message)]


@pytest.mark.parametrize(
    ("message", "paths"),
    [
        (GOOD, []),
        (Line(), ["sku", "quantity"]),
        (Line(sku="ink", quantity=1, parts=[GOOD, Line(quantity=2)]), ["parts[1].sku"]),
        (Order(), ["lines", "name"]),
        (Order(name="a", lines=[GOOD], first=Line(sku="a")), ["first.quantity"]),
        (Order(name="a", lines=[GOOD], made=Line()), []),
        (Order(name="a", lines=[GOOD], by_name={"x\n": Line(sku="a")}), ['by_name["x\\n"].quantity']),
        (Line(sku="a", quantity=1, parts=[Line(sku="a", quantity=1, parts=[Line(sku="b")])]), ["parts[0].parts[0].quantity"]),
        (Update(), ["order"]),
        (Update(order=Order(name="a")), ["order.lines"]),
        (Update(order=Order(name="a"), update_mask={"paths": ["name"]}), []),
        (Update(order=Order(lines=[Line()]), update_mask={"paths": ["lines", "first.sku"]}), ["order.lines[0].sku", "order.lines[0].quantity"]),
        (Update(order=Order(name="a"), update_mask={"paths": ["*"]}), ["order.lines"]),
        (Update(order=Order(name="a"), update_mask={}), ["order.lines"]),
    ],
    ids=range(14),
)  # fmt: skip
async def test_what_is_required_and_missing_is_found_by_its_path(message: Any, paths: list[str]) -> None:
    assert missing(message) == paths


async def test_an_answer_tells_of_so_many_violations_and_no_more() -> None:
    assert len(missing(Order(name="a", lines=[Line()] * 1000))) == 20


@pytest.fixture(scope="module")
def scripted() -> Scripted:
    return Scripted(DEFINITION)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(scripted: Scripted) -> AsyncIterator[Client]:
    async with serving(DEFINITION, scripted.application) as served:
        yield served.client


async def violations(client: Client, entry: Entry, *requests: Any) -> dict[str, str]:
    outcome = await client.call(entry, list(requests))
    assert outcome.code is StatusCode.INVALID_ARGUMENT
    assert outcome.http in (None, 400)
    found = outcome.detail(BadRequest).field_violations
    assert outcome.message == f"{found[0].field} {found[0].description}"
    return {violation.field: violation.description for violation in found}


@pytest.mark.parametrize("entry", PLAIN, ids=str)
async def test_a_good_request_reaches_the_handler(client: Client, scripted: Scripted, entry: Entry) -> None:
    scripted.plays(answering(*entry.responses()))
    assert (await client.call(entry, [GOOD])).succeeded
    assert scripted.last.requests == [GOOD]


@pytest.mark.parametrize("entry", PLAIN, ids=str)
async def test_a_bad_request_is_refused_with_the_fields(client: Client, scripted: Scripted, entry: Entry) -> None:
    scripted.plays(answering(*entry.responses()))
    found = await violations(client, entry, Line(sku="ink"))
    assert found == {"quantity": "is required"}
    assert [received.requests for received in scripted.received if received.requests] == []
    if not entry.method.kind.streams_requests:
        assert scripted.received == []


@pytest.mark.parametrize("entry", [entry for entry in PLAIN if entry.method.kind.streams_requests], ids=str)
async def test_each_message_of_a_stream_is_checked(client: Client, scripted: Scripted, entry: Entry) -> None:
    scripted.plays(answering(*entry.responses()))
    await violations(client, entry, GOOD, GOOD, Line(sku="ink"))
    assert scripted.last.requests == [GOOD, GOOD]


@pytest.mark.parametrize("entry", RULED, ids=str)
async def test_rules_of_buf_validate_hold(client: Client, scripted: Scripted, entry: Entry) -> None:
    scripted.plays(answering(*entry.responses()))
    assert (await client.call(entry, [Ruled(name="long", inner=[Ruled(name="long")])])).succeeded
    found = await violations(client, entry, Ruled(name="long", inner=[Ruled(name="long"), Ruled(name="x")]))
    assert list(found) == ["inner[1].name"]
    assert found["inner[1].name"].startswith("must be at least 3")
