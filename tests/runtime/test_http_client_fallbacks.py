"""What answers in the place of a dependency over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from grpc import StatusCode
from runtime.client.http_request import HttpRequest
from runtime.client.http_response import HttpResponse
from runtime.current import current_call
from runtime.definition import DependencyFallbacks
from runtime.errors import unimplemented
from runtime.snapshot import BreakerPolicy, FallbackPolicy, OutgoingPolicy
from runtime.testing import VirtualClock

from tests.runtime.fake_call import call_of
from tests.runtime.http_peer import Seen, client_of, failure, peer, status

HANDLER = FallbackPolicy("handler", handler="instead")


class Own(DependencyFallbacks):
    """Answers with what it is made with, or raises it."""

    DEPENDENCY = "fx"

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[HttpRequest] = []

    async def instead(self, request: HttpRequest) -> Any:
        self.asked.append(request)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


async def test_a_value_of_the_spec_answers_where_the_peer_cannot() -> None:
    static = FallbackPolicy("static", value='{"rate": 1}')
    async with peer(status(503)) as fx, client_of(fx.url, fallback=static) as client:
        response = await client.get("/x")
        assert (response.status, response.json(), response.headers.get("content-type")) == (
            200,
            {"rate": 1},
            "application/json",
        )
        fx.script = status(404)
        assert (await failure(client.get("/x"))).http_received == 404, "a fault of the request is nobody's to hide"


async def test_the_last_good_answer_to_the_same_request_answers_while_it_is_not_too_old() -> None:
    clock = VirtualClock()
    cache = FallbackPolicy("cache", ttl=60.0, max_entries=10)

    def echo(seen: Seen) -> None:
        seen.answer(203, b"a\n\xff" + seen.target.encode() + seen.body, x_a="1")

    async with peer(echo) as fx, client_of(fx.url, clock, fallback=cache) as client:
        first_answer = await client.get("/x", query={"q": 1})
        await client.post("/x", {"b": 1})
        fx.script = status(503)
        again = await client.get("/x", query={"q": 1})
        assert (again.status, again.content, again.headers.get("x-a")) == (203, first_answer.content, "1")
        assert (await client.post("/x", {"b": 1})).content.endswith(b'{"b":1}')
        for other in (
            client.get("/x", query={"q": 2}),
            client.get("/x", query={"q": 1}, headers={"x-tenant": "b"}),
            client.head("/x", query={"q": 1}),
            client.post("/x", {"b": 2}),
        ):
            assert (await failure(other)).http_received == 503
        await clock.advance(60.0)
        assert (await failure(client.get("/x", query={"q": 1}))).http_received == 503


async def test_a_redirect_is_no_good_answer_to_keep() -> None:
    cache = FallbackPolicy("cache", ttl=60.0, max_entries=10)
    async with peer(status(302, location="/y")) as fx, client_of(fx.url, fallback=cache) as client:
        await client.get("/x")
        fx.script = status(503)
        assert (await failure(client.get("/x"))).http_received == 503


async def test_a_method_of_the_users_answers_where_the_peer_cannot_and_sees_the_request() -> None:
    current_call.set(call_of())
    own = Own(HttpResponse(203, b'{"USD": 2}'))
    async with peer(status(503)) as fx, client_of(fx.url, own=own, fallback=HANDLER) as client:
        response = await client.get("/rates/{of}", path={"of": "EUR"}, query={"to": "USD"})
        assert (response.status, response.json()) == (203, {"USD": 2})
        assert (response.dependency, response.operation) == ("fx", "GET /rates/{base}")
        (asked,) = own.asked
        assert (asked.verb, asked.path, asked.query) == ("GET", {"base": "EUR"}, {"to": "USD"}), "by the spec's names"
        assert current_call.get().fell_back == {"fx": "handler"}
        await client.post("/x", {"a": 1})
        assert (own.asked[-1].verb, own.asked[-1].target, own.asked[-1].body) == ("POST", "/x", b'{"a":1}')
        fx.script = status(404)
        assert (await failure(client.get("/x"))).http_received == 404, "a fault of the request is nobody's to hide"


@pytest.mark.parametrize(
    "answer",
    [unimplemented("GET /x"), ValueError("a bug"), HttpResponse(500), {"USD": 2}, None],
    ids=["still a stub", "raises", "a failure", "no answer", "nothing"],
)
async def test_a_method_that_has_no_answer_leaves_the_failure_as_it_is(answer: Any) -> None:
    async with peer(status(503)) as fx, client_of(fx.url, own=Own(answer), fallback=HANDLER) as client:
        assert (await failure(client.get("/x"))).http_received == 503


async def test_a_client_that_is_used_before_the_application_is_there_fails_as_it_would_without_a_fallback() -> None:
    async with peer(status(503)) as fx, client_of(fx.url, fallback=HANDLER) as client:
        assert (await failure(client.get("/x"))).http_received == 503


async def test_an_operation_has_a_method_of_its_own_for_while_its_breaker_is_open() -> None:
    breaker = BreakerPolicy(failure_threshold=1)
    rates = OutgoingPolicy(circuit_breaker=breaker, breaker_fallback=HANDLER)
    own, methods = Own(HttpResponse(200, b"7")), {"GET /rates/{base}": rates}
    async with peer(status(503)) as fx, client_of(fx.url, own=own, methods=methods) as client:
        assert (
            await failure(client.get("/rates/{base}", path={"base": "EUR"}))
        ).code_received is StatusCode.UNAVAILABLE
        assert (await client.get("/rates/{base}", path={"base": "EUR"})).content == b"7"
        assert (await failure(client.get("/x"))).http_received == 503
        assert len(fx.seen) == 2
