"""The context stage: request id, W3C trace context, criticality, deadline."""

from __future__ import annotations

import asyncio
import random

import pytest
from runtime.call import Call
from runtime.current import current_call
from runtime.snapshot import DeadlinePolicy, MethodPolicy
from runtime.stages.context import Context, trace_state

from tests.runtime.fake_call import call_of

POLICY = MethodPolicy(DeadlinePolicy(default=2.0, max=10.0, min_remaining=0.0, reserve=0.0), "SHEDDABLE")
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


async def through(call: Call, policy: MethodPolicy = POLICY, *, traced: bool = False) -> Call:
    async def proceed(call: Call) -> None:
        assert current_call.get() is call

    await Context(policy, random.Random(7).getrandbits, traced=traced)(call, proceed)
    return call


async def test_a_clients_request_id_is_kept() -> None:
    call = await through(call_of(metadata=[("x-request-id", "order-17/b")]))
    assert call.request_id == "order-17/b"


@pytest.mark.parametrize("bad", ["", "a b", "a\nb", "é", "x" * 129, "\x7f"])
async def test_a_request_id_that_could_do_harm_is_replaced(bad: str) -> None:
    call = await through(call_of(metadata=[("x-request-id", bad)]))
    assert call.request_id != bad
    assert len(call.request_id) == 32


async def test_a_trace_is_continued() -> None:
    call = await through(
        call_of(metadata=[("traceparent", f"00-{TRACE}-{PARENT}-01"), ("tracestate", "a=1"), ("tracestate", "b=2")])
    )
    assert (call.trace_id, call.span_id, call.trace_flags, call.trace_state) == (TRACE, PARENT, 1, "a=1,b=2")


async def test_unknown_flags_are_dropped() -> None:
    assert (await through(call_of(metadata=[("traceparent", f"00-{TRACE}-{PARENT}-ff")]))).trace_flags == 3


@pytest.mark.parametrize("parent", [f"01-{TRACE}-{PARENT}-01", f"cc-{TRACE}-{PARENT}-01-what-comes-later"])
async def test_a_later_version_is_read_as_far_as_it_is_known(parent: str) -> None:
    assert (await through(call_of(metadata=[("traceparent", parent)]))).trace_id == TRACE


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "garbage",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{TRACE}-{PARENT}-1",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"01-{TRACE}-{PARENT}-01more",
        f"00-{TRACE}-{PARENT}-01\n",
    ],
)
async def test_an_invalid_parent_begins_a_new_trace(parent: str) -> None:
    call = await through(call_of(metadata=[("traceparent", parent), ("tracestate", "a=1")]))
    assert call.trace_id not in ("", TRACE)
    assert (len(call.trace_id), len(call.span_id), call.trace_flags, call.trace_state) == (32, 16, 0, "")


async def test_two_parents_begin_a_new_trace() -> None:
    parents = [("traceparent", f"00-{TRACE}-{PARENT}-01")] * 2
    assert (await through(call_of(metadata=parents))).trace_id != TRACE


async def test_a_new_traces_span_is_left_to_the_span_stage_where_there_is_one() -> None:
    assert (await through(call_of(), traced=True)).span_id == ""


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a=1, b=2"], "a=1,b=2"),
        (["a=1,,b=2", ""], "a=1,b=2"),
        (["tenant@vendor=x"], "tenant@vendor=x"),
        (["A=1"], ""),
        (["a=1,a=2"], ""),
        (["a"], ""),
        ([",".join(f"k{number}=v" for number in range(33))], ""),
    ],
)
def test_a_trace_state_is_taken_whole_or_dropped(values: list[str], expected: str) -> None:
    assert trace_state(values) == expected


def test_a_long_trace_state_loses_its_long_members_first_then_the_last() -> None:
    short = [f"k{number}={'v' * 90}" for number in range(6)]
    long = f"long={'v' * 150}"
    assert trace_state([",".join([short[0], long, *short[1:]])]) == ",".join(short[:5])


@pytest.mark.parametrize(("asked", "given"), [(None, 2.0), (3.0, 3.0), (60.0, 10.0)])
async def test_the_deadline_is_the_clients_within_the_limits(asked: float | None, given: float) -> None:
    call = await through(call_of(client_timeout=asked))
    assert call.deadline == call.started + given


@pytest.mark.parametrize("asked", [None, 3.0])
async def test_without_a_policy_only_the_clients_deadline_holds(asked: float | None) -> None:
    call = await through(call_of(client_timeout=asked), MethodPolicy(None, "CRITICAL"))
    assert call.deadline == (None if asked is None else call.started + asked)


async def test_the_reserve_is_the_methods() -> None:
    policy = MethodPolicy(DeadlinePolicy(default=2.0, max=10.0, min_remaining=0.0, reserve=0.25), "CRITICAL")
    assert (await through(call_of(), policy)).reserve == 0.25
    assert (await through(call_of(), MethodPolicy(None, "CRITICAL"))).reserve == 0.0


async def test_the_criticality_is_the_methods() -> None:
    assert (await through(call_of())).criticality == "SHEDDABLE"


async def test_calls_of_other_tasks_are_not_mixed_up() -> None:
    async def one(name: str) -> str:
        async def proceed(call: Call) -> None:
            await asyncio.sleep(0)

        call = call_of(metadata=[("x-request-id", name)])
        await Context(POLICY, random.getrandbits)(call, proceed)
        return current_call.get().request_id

    assert await asyncio.gather(*(asyncio.ensure_future(one(name)) for name in "abc")) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("declared", "asked", "expected"),
    [
        ("CRITICAL", "SHEDDABLE", "SHEDDABLE"),
        ("CRITICAL", "CRITICAL", "CRITICAL"),
        ("CRITICAL", "CRITICAL_PLUS", "CRITICAL"),
        ("SHEDDABLE", "CRITICAL", "SHEDDABLE"),
        ("CRITICAL_PLUS", "CRITICAL", "CRITICAL"),
        ("CRITICAL", "sheddable", "CRITICAL"),
        ("CRITICAL", "", "CRITICAL"),
    ],
)
async def test_a_caller_may_say_that_its_call_matters_less_and_never_more(
    declared: str, asked: str, expected: str
) -> None:
    call = await through(call_of(metadata=[("x-criticality", asked)]), MethodPolicy(None, declared))
    assert call.criticality == expected
