"""The fallback stage: who answers when the handler cannot, and whose answers are never hidden."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from grpc import StatusCode
from runtime.call import Call
from runtime.classification import OPEN_REASON
from runtime.errors import ServiceError
from runtime.fallbacks import Cache, Source, Static
from runtime.metadata import Metadata
from runtime.principal import Principal
from runtime.snapshot import FallbackPolicy
from runtime.stages import fallback
from runtime.stages.fallback import SERVED_FROM, around_handler, own_method
from runtime.testing import VirtualClock

from tests.runtime.fake_call import MemoryWire
from tests.runtime.sample_service import ECHO, ERRORS, LedgerDown, Note, OutOfStock


@dataclass
class Backed:
    """A stage around a handler that answers `reply`, or raises `error`."""

    on_failure: Source[Call] | None = None
    when_open: Source[Call] | None = None
    degraded: bool = False
    reply: str = "fresh"
    error: ServiceError | None = None
    answered: int = 0
    reached: int = 0
    last: Call | None = field(default=None, repr=False)

    async def call(
        self, text: str = "a", principal: object = None, metadata: Sequence[tuple[str, str]] = ()
    ) -> tuple[str, str]:
        """The text of the response, and where it is from."""
        call = Call(ECHO, "grpc", MemoryWire([Note(text=text)]), Metadata(metadata))
        call.principal = principal
        self.last = call

        def count() -> None:
            self.answered += 1

        async def handler(call: Call) -> None:
            self.reached += 1
            request: Any = await call.request()
            request.text = "changed by the handler"
            if self.error is not None:
                raise self.error
            await call.respond(Note(text=self.reply))

        stage = around_handler(self.on_failure, self.when_open, ERRORS, count, lambda: self.degraded)
        await stage(call, handler)
        response: Any = call.response
        return response.text, str(dict(call.headers).get(SERVED_FROM, ""))


def cache(clock: VirtualClock | None = None, propagate: Sequence[str] = ()) -> Cache[Call]:
    return fallback.cache(FallbackPolicy("cache", ttl=30.0), ECHO, clock or VirtualClock(), propagate)


def failure() -> ServiceError:
    return ServiceError(StatusCode.UNAVAILABLE, "gone")


def refusal() -> ServiceError:
    return ServiceError(StatusCode.UNAVAILABLE, reason=OPEN_REASON, retry_after=5.0)


async def test_the_last_good_response_to_the_same_request_stands_in_for_a_failure() -> None:
    backed = Backed(on_failure=cache())
    await backed.call("a")
    backed.reply = "fresher"
    assert await backed.call("a") == ("fresher", "")
    backed.error = failure()
    assert await backed.call("a") == ("fresher", "cache")
    assert backed.last is not None
    assert backed.last.served_from == "cache"
    assert backed.answered == 1
    with pytest.raises(ServiceError) as caught:
        await backed.call("b")
    assert caught.value is backed.error


async def test_a_response_too_old_stands_in_for_nothing() -> None:
    clock = VirtualClock()
    backed = Backed(on_failure=cache(clock))
    await backed.call()
    backed.error = failure()
    await clock.advance(29.9)
    assert (await backed.call())[1] == "cache"
    await clock.advance(0.1)
    with pytest.raises(ServiceError):
        await backed.call()


def principal(subject: str = "ada", claims: Mapping[str, object] | None = None, **more: Any) -> Principal:
    return Principal(subject, "https://id.example.com", claims or {}, **more)


@pytest.mark.parametrize(
    "other",
    [
        None,
        principal("bob"),
        principal(claims={"tenant": "b"}),
        principal(claims={"tenant": "a"}, scopes=frozenset({"read"})),
        principal(claims={"tenant": "a"}, roles=frozenset({"admin"})),
        "somebody of a stage of the user's own",
    ],
)
async def test_nobody_gets_what_was_answered_to_somebody_else(other: object) -> None:
    backed = Backed(on_failure=cache())
    await backed.call("a", principal(claims={"tenant": "a"}))
    backed.error = failure()
    with pytest.raises(ServiceError):
        await backed.call("a", other)


async def test_a_caller_with_a_new_token_is_the_same_caller() -> None:
    backed = Backed(on_failure=cache())
    await backed.call("a", principal(claims={"tenant": "a", "exp": 1, "jti": "x"}))
    backed.error = failure()
    assert (await backed.call("a", principal(claims={"jti": "y", "exp": 2, "tenant": "a"})))[1] == "cache"


async def test_metadata_that_is_handed_on_tells_requests_apart_and_ids_of_requests_do_not() -> None:
    backed = Backed(on_failure=cache(propagate=("x-tenant", "x-request-id")))
    await backed.call("a", metadata=[("x-tenant", "1"), ("x-request-id", "1"), ("user-agent", "1")])
    backed.error = failure()
    again = [("x-tenant", "1"), ("x-request-id", "2"), ("user-agent", "2")]
    assert (await backed.call("a", metadata=again))[1] == "cache"
    with pytest.raises(ServiceError):
        await backed.call("a", metadata=[("x-tenant", "2")])


@pytest.mark.parametrize("kind", ["on_failure", "when_open"])
async def test_errors_that_are_the_callers_own_doing_are_never_hidden(kind: str) -> None:
    backed = Backed(**{kind: Static('{"text": "instead"}', Note)})  # type: ignore[arg-type] # a Source
    for code in set(StatusCode) - {
        StatusCode.OK,
        StatusCode.UNKNOWN,
        StatusCode.DEADLINE_EXCEEDED,
        StatusCode.INTERNAL,
        StatusCode.UNAVAILABLE,
        StatusCode.DATA_LOSS,
    }:
        backed.error = ServiceError(code)
        with pytest.raises(ServiceError) as caught:
            await backed.call()
        assert caught.value.code is code
    backed.error = OutOfStock(sku="a", available=1)
    with pytest.raises(OutOfStock):
        await backed.call()


async def test_a_fallback_of_the_breaker_answers_only_while_it_is_open() -> None:
    backed = Backed(when_open=Static('{"text": "instead"}', Note), error=LedgerDown())
    with pytest.raises(LedgerDown):
        await backed.call()
    backed.error = refusal()
    assert await backed.call() == ("instead", "static")


async def test_each_situation_has_its_own_answer_where_both_are_given() -> None:
    backed = Backed(Static('{"text": "failed"}', Note), Static('{"text": "open"}', Note), error=failure())
    assert (await backed.call())[0] == "failed"
    backed.error = refusal()
    assert (await backed.call())[0] == "open"
    backed.when_open = None
    assert (await backed.call())[0] == "failed"


async def test_a_static_value_is_given_afresh_each_time() -> None:
    source = Static('{"text": "instead"}', Note)
    first: Any = await source.response(Call(ECHO, "grpc", MemoryWire(), Metadata(())), b"")
    first.text = "spoilt"
    again: Any = await source.response(Call(ECHO, "grpc", MemoryWire(), Metadata(())), b"")
    assert again.text == "instead"


async def test_while_degraded_what_can_answer_does_before_the_handler_is_run() -> None:
    backed = Backed(on_failure=cache())
    await backed.call("a")
    backed.degraded = True
    assert await backed.call("a") == ("fresh", "cache")
    assert backed.reached == 1
    assert await backed.call("b") == ("fresh", "")
    assert backed.reached == 2


async def test_a_method_of_the_handlers_class_answers_and_what_it_raises_hides_nothing() -> None:
    async def from_list_price(request: Any, call: Call) -> Any:
        if request.text == "crash":
            raise KeyError("no such price")
        if request.text == "wrong":
            return "not a message"
        return Note(text=f"list price of {request.number}")

    backed = Backed(own_method(from_list_price, ECHO), error=failure())
    assert await backed.call() == ("list price of 0", "handler")


@pytest.mark.parametrize("text", ["crash", "wrong"])
async def test_a_method_that_fails_too_leaves_the_first_failure(text: str) -> None:
    async def broken(request: Any, call: Call) -> Any:
        if text == "crash":
            raise KeyError("no such price")
        return "not a message"

    backed = Backed(own_method(broken, ECHO), error=failure())
    with pytest.raises(ServiceError) as caught:
        await backed.call()
    assert caught.value is backed.error


async def test_a_method_gets_no_more_time_than_the_call_has_left() -> None:
    async def slow(request: Any, call: Call) -> Any:
        await asyncio.Event().wait()

    source = own_method(slow, ECHO)
    call = Call(ECHO, "grpc", MemoryWire([Note()]), Metadata(()))
    call.deadline = call.started + 0.005
    assert await source.response(call, b"") is None
    assert call.time_remaining() == 0.0
    assert await source.response(call, b"") is None


async def test_a_handler_that_has_sent_its_headers_does_not_keep_the_fallback_from_answering() -> None:
    backed = Backed(Static('{"text": "instead"}', Note), error=failure())

    class Eager(Static):
        async def response(self, call: Any, key: bytes) -> Any:
            await call.send_headers()
            return await super().response(call, key)

    backed.on_failure = Eager('{"text": "instead"}', Note)
    assert await backed.call() == ("instead", "")
    assert backed.last is not None
    assert dict(backed.last.trailers)[SERVED_FROM] == "static"
