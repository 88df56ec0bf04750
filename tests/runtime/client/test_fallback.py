"""Fallbacks of calls to a dependency: what answers when it cannot, and what they never hide."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from grpc import StatusCode
from runtime.call import Call
from runtime.client.outgoing import Outgoing
from runtime.current import current_call
from runtime.definition import DependencyFallbacks, Kind
from runtime.errors import DependencyError
from runtime.snapshot import BreakerPolicy, BulkheadPolicy, FallbackPolicy, OutgoingPolicy

from tests.runtime.client.calls import TWICE, Calls, Step, failing
from tests.runtime.fake_call import call_of
from tests.runtime.sample_service import ECHO, Note

STATIC = FallbackPolicy("static", value='{"text": "instead"}')
CACHE = FallbackPolicy("cache", ttl=30.0, max_entries=2)
OPENS = BreakerPolicy(failure_threshold=1, open_jitter=0.0)


def within_a_call() -> Call:
    """A call being served, which this test's calls are made in."""
    call = call_of()
    current_call.set(call)
    return call


async def test_a_value_of_the_spec_answers_where_the_dependency_fails() -> None:
    serving = within_a_call()
    calls = Calls(OutgoingPolicy(fallback=STATIC, retry=TWICE), failing(), failing(), failing())
    outgoing = await calls.turning(calls.call())
    assert outgoing.response == Note(text="instead")
    assert len(calls.attempts.began) == 3, "not before the last attempt"
    assert calls.counted("fallback", "static") == 1
    assert serving.fell_back == {"peer": "static"}


async def test_what_went_well_is_handed_on_as_it_is() -> None:
    serving = within_a_call()
    calls = Calls(OutgoingPolicy(fallback=STATIC))
    assert (await calls.call()).response == Note(number=1)
    assert serving.fell_back == {}


FAILURES = {
    StatusCode.UNAVAILABLE,
    StatusCode.DEADLINE_EXCEEDED,
    StatusCode.INTERNAL,
    StatusCode.UNKNOWN,
    StatusCode.DATA_LOSS,
}


@pytest.mark.parametrize("code", sorted(set(StatusCode) - FAILURES - {StatusCode.OK}, key=lambda code: code.name))
async def test_what_the_request_is_to_blame_for_is_never_hidden(code: StatusCode) -> None:
    error = failing(code)
    calls = Calls(OutgoingPolicy(fallback=STATIC), error)
    assert await calls.failure() is error


@pytest.mark.parametrize(
    "error",
    [
        *(failing(code) for code in sorted(FAILURES, key=lambda code: code.name)),
        failing(StatusCode.DEADLINE_EXCEEDED, expired=True, final=True),
        failing(StatusCode.RESOURCE_EXHAUSTED, pushback=1.0),
    ],
    ids=str,
)
async def test_every_failure_of_the_dependency_is_answered(error: DependencyError) -> None:
    calls = Calls(OutgoingPolicy(fallback=STATIC), error)
    assert (await calls.call()).response == Note(text="instead")


async def test_a_call_that_another_stage_refuses_is_answered_too() -> None:
    calls = Calls(OutgoingPolicy(fallback=STATIC, bulkhead=BulkheadPolicy(1)), 5.0)
    running = asyncio.ensure_future(calls.call())
    await asyncio.sleep(0)
    assert (await calls.call()).response == Note(text="instead")
    await calls.turning(running)


async def test_time_that_has_run_out_is_answered_as_the_fallback_stands_outside_of_it() -> None:
    calls = Calls(OutgoingPolicy(fallback=STATIC, total_timeout=5.0))
    assert (await calls.call(within=0.0)).response == Note(text="instead")
    assert calls.attempts.began == []


async def test_the_last_good_response_to_the_same_request_answers_until_it_is_too_old() -> None:
    calls = Calls(OutgoingPolicy(fallback=CACHE), 0.0, 0.0, failing(), failing(), failing())
    await calls.call(request=Note(text="a"))
    kept = (await calls.call(request=Note(text="a"))).response
    assert (await calls.call(request=Note(text="a"))).response == kept
    with pytest.raises(DependencyError):
        await calls.call(request=Note(text="b"))
    await calls.clock.advance(30.0)
    with pytest.raises(DependencyError):
        await calls.call(request=Note(text="a"))


async def test_metadata_tells_requests_apart_and_ids_of_calls_do_not() -> None:
    calls = Calls(OutgoingPolicy(fallback=CACHE), 0.0, failing(), failing())
    await calls.call(metadata=[("x-tenant", "1"), ("x-request-id", "1"), ("traceparent", "1")])
    again = await calls.call(metadata=[("x-tenant", "1"), ("x-request-id", "2"), ("traceparent", "2")])
    assert again.response == Note(number=1)
    with pytest.raises(DependencyError):
        await calls.call(metadata=[("x-tenant", "2")])


async def test_no_more_responses_are_kept_than_declared() -> None:
    calls = Calls(OutgoingPolicy(fallback=CACHE), 0.0, 0.0, 0.0, failing(), failing())
    for text in "abc":
        await calls.call(request=Note(text=text))
    await calls.call(request=Note(text="c"))
    with pytest.raises(DependencyError):
        await calls.call(request=Note(text="a"))


async def test_a_kept_response_is_nobodys_to_spoil() -> None:
    calls = Calls(OutgoingPolicy(fallback=CACHE), 0.0, failing(), failing())
    (await calls.call()).response.text = "spoilt"
    (await calls.call()).response.text = "spoilt"
    assert (await calls.call()).response == Note(number=1)


async def test_a_fallback_of_the_breaker_answers_only_while_it_is_open() -> None:
    calls = Calls(OutgoingPolicy(circuit_breaker=OPENS, breaker_fallback=STATIC), failing())
    await calls.refused()
    assert (await calls.call()).response == Note(text="instead")
    assert len(calls.attempts.began) == 1


async def test_each_situation_has_its_own_answer_where_both_are_given() -> None:
    failed = FallbackPolicy("static", value='{"text": "failed"}')
    calls = Calls(OutgoingPolicy(circuit_breaker=OPENS, breaker_fallback=STATIC, fallback=failed), failing())
    assert (await calls.call()).response == Note(text="failed")
    assert (await calls.call()).response == Note(text="instead")


class PeerFallbacks(DependencyFallbacks):
    DEPENDENCY = "peer"

    async def from_catalogue(self, request: Any) -> Any:
        if request.text == "crash":
            raise KeyError("no such entry")
        return Note(text=f"catalogue {request.number}")


OWN = OutgoingPolicy(fallback=FallbackPolicy("handler", handler="from_catalogue"))


async def test_a_method_of_the_users_answers() -> None:
    calls = Calls(OWN, failing(), fallbacks={"peer": PeerFallbacks()})
    assert (await calls.call(request=Note(number=7))).response == Note(text="catalogue 7")
    assert calls.counted("fallback", "handler") == 1


async def test_a_method_that_fails_too_leaves_the_first_failure() -> None:
    error = failing()
    calls = Calls(OWN, error, fallbacks={"peer": PeerFallbacks()})
    with pytest.raises(DependencyError) as caught:
        await calls.call(request=Note(text="crash"))
    assert caught.value is error


async def test_before_the_application_is_there_the_call_just_fails() -> None:
    calls = Calls(OWN, failing())
    assert (await calls.failure()).code_received is StatusCode.UNAVAILABLE


@pytest.mark.parametrize("steps", [(), (failing(),)], ids=["well", "down"])
async def test_a_degraded_service_answers_from_what_it_has_and_spares_the_dependency(steps: tuple[Step, ...]) -> None:
    degraded = False
    calls = Calls(OutgoingPolicy(fallback=CACHE), 0.0, *steps, degraded=lambda: degraded)
    await calls.call()
    degraded = True
    assert (await calls.call()).response == Note(number=1)
    assert len(calls.attempts.began) == 1


@pytest.mark.parametrize("kind", [Kind.CLIENT_STREAM, Kind.SERVER_STREAM, Kind.BIDI])
async def test_streams_have_no_fallback(kind: Kind) -> None:
    calls = Calls(OutgoingPolicy(fallback=STATIC), failing(), kind=kind)
    with pytest.raises(DependencyError):
        await calls.endpoint(Outgoing(ECHO.path, Note(), (), None))


async def test_a_bug_is_not_answered() -> None:
    calls = Calls(OutgoingPolicy(fallback=STATIC), ValueError("not the dependency's"))
    with pytest.raises(ValueError, match="not the dependency's"):
        await calls.call()
