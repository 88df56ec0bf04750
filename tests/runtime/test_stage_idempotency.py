"""The idempotency stage on a clock that tests turn: what runs, what is given again, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from google.rpc.error_details_pb2 import BadRequest, Help
from grpc import StatusCode
from runtime.call import Call
from runtime.errors import ServiceError
from runtime.principal import Principal
from runtime.snapshot import IdempotencyPolicy, MethodPolicy
from runtime.stages import idempotency
from runtime.stages.drain_gate import draining
from runtime.stages.environment import Environment
from runtime.stages.idempotency import Idempotency
from runtime.status import status_of
from runtime.testing import VirtualClock

from tests.runtime.fake_call import MemoryWire, call_of
from tests.runtime.fake_environment import NOBODY, environment
from tests.runtime.sample_service import COUNT, ECHO, ERRORS, LedgerDown, Note, OutOfStock

HEADER = "idempotency-key"


def stage(shared: Environment | None = None, **policy: Any) -> Idempotency:
    made = idempotency.for_method(
        ECHO,
        MethodPolicy(None, "CRITICAL", idempotency=IdempotencyPolicy(HEADER, **policy)),
        shared or environment(),
    )
    assert made is not None
    return made


def keyed(key: str = "k", text: str = "a", subject: str = "", **fields: Any) -> Call:
    call = Call(ECHO, "grpc", MemoryWire([Note(text=text, **fields)]), call_of(metadata=[(HEADER, key)]).metadata)
    if subject:
        call.principal = Principal(subject, "id")
    return call


class Handler:
    """Counts how often it runs; ends as it is told."""

    def __init__(self, ends: Callable[[], BaseException] | None = None) -> None:
        self.runs = 0
        self.ends = ends
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, call: Call) -> None:
        self.runs += 1
        await self.gate.wait()
        call.set_header("x-run", str(self.runs))
        call.set_trailer("x-bytes-bin", b"\x00\xff")
        if self.ends is not None:
            raise self.ends()
        call.response = Note(number=self.runs)


async def failure(stage: Idempotency, call: Call, handler: Handler) -> ServiceError | None:
    try:
        await stage(call, handler)
    except ServiceError as error:
        return error
    return None


async def test_a_call_that_comes_again_gets_the_answer_of_the_first() -> None:
    once, handler = stage(), Handler()
    first, again = keyed(), keyed()
    await once(first, handler)
    await once(again, handler)
    assert handler.runs == 1
    assert again.response == first.response == Note(number=1)
    assert again.served_from == "idempotency"
    assert first.headers == [("x-run", "1")]
    assert again.headers == [("idempotent-replayed", "true"), ("x-run", "1")]
    assert again.trailers == first.trailers == [("x-bytes-bin", b"\x00\xff")]


async def test_calls_without_a_key_run_each_time() -> None:
    once, handler = stage(), Handler()
    for _ in range(2):
        await once(call_of(), handler)
    assert handler.runs == 2


async def test_a_key_may_be_required() -> None:
    handler = Handler()
    error = await failure(stage(required=True), call_of(), handler)
    assert error is not None
    assert (error.code, error.http, error.reason) == (StatusCode.INVALID_ARGUMENT, 400, "IDEMPOTENCY_KEY_MISSING")
    assert handler.runs == 0


async def test_a_key_of_another_request_is_refused() -> None:
    once, handler = stage(), Handler()
    await once(keyed(text="a"), handler)
    error = await failure(once, keyed(text="b"), handler)
    assert error is not None
    assert (error.code, error.http, error.reason) == (StatusCode.INVALID_ARGUMENT, 422, "IDEMPOTENCY_KEY_REUSED")
    (violation,) = error.details[0].field_violations  # type: ignore[attr-defined]  # BadRequest
    assert isinstance(error.details[0], BadRequest)
    assert violation.field == HEADER
    assert handler.runs == 1


async def test_fifty_at_once_run_once_and_the_others_are_told_to_come_again() -> None:
    once, handler = stage(), Handler()
    handler.gate.clear()
    calls = [asyncio.ensure_future(failure(once, keyed(), handler)) for _ in range(50)]
    for _ in range(5):
        await asyncio.sleep(0)
    handler.gate.set()
    errors = [error for error in await asyncio.gather(*calls) if error is not None]
    assert handler.runs == 1
    assert len(errors) == 49
    for error in errors:
        assert (error.code, error.http, error.retry_after) == (StatusCode.ABORTED, 409, 1.0)
        assert error.reason == "IDEMPOTENCY_KEY_IN_FLIGHT"
    again = keyed()
    await once(again, handler)
    assert again.response == Note(number=1)


@pytest.mark.parametrize("subjects", [("ada", "bob"), ("", "ada")])
async def test_a_key_is_the_callers_own(subjects: tuple[str, str]) -> None:
    once, handler = stage(), Handler()
    for subject in subjects:
        await once(keyed(subject=subject), handler)
    assert handler.runs == 2


async def test_a_key_may_come_in_a_field_of_the_request() -> None:
    once, handler = stage(field="phone"), Handler()
    for _ in range(2):
        call = Call(ECHO, "grpc", MemoryWire([Note(phone="k")]), call_of().metadata)
        await once(call, handler)
    assert handler.runs == 1


async def test_keys_that_contradict_each_other_are_refused() -> None:
    error = await failure(stage(field="phone"), keyed("k", phone="other"), Handler())
    assert error is not None
    assert error.reason == "IDEMPOTENCY_KEY_INVALID"


@pytest.mark.parametrize("key", ["é", "x" * 256, "a\tb"])
async def test_what_is_no_key_is_refused(key: str) -> None:
    error = await failure(stage(), keyed(key), Handler())
    assert error is not None
    assert (error.code, error.reason) == (StatusCode.INVALID_ARGUMENT, "IDEMPOTENCY_KEY_INVALID")


async def test_a_key_as_a_structured_field_is_the_same_key() -> None:
    once, handler = stage(), Handler()
    await once(keyed("k"), handler)
    await once(keyed('"k"'), handler)
    assert handler.runs == 1


# -- how the first call ended --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ends",
    [
        lambda: OutOfStock(sku="a", available=3),
        lambda: ServiceError(StatusCode.NOT_FOUND, metadata={"resource": "a"}),
        lambda: ServiceError(StatusCode.INTERNAL, "internal error", metadata={"error_id": "7"}),
        lambda: ServiceError(
            StatusCode.FAILED_PRECONDITION, "no", http=418, details=[Help(links=[Help.Link(url="u")])]
        ),
    ],
)
async def test_an_error_that_would_come_again_is_the_answer(ends: Callable[[], ServiceError]) -> None:
    once, handler = stage(), Handler(ends)
    first, again = await failure(once, keyed(), handler), await failure(once, keyed(), handler)
    assert handler.runs == 1
    assert first is not None
    assert again is not None
    for language in ("en", "zh"):
        metadata = call_of(metadata=[("accept-language", language)]).metadata
        assert status_of(again, metadata, ERRORS) == status_of(first, metadata, ERRORS)
    assert again.http == first.http


@pytest.mark.parametrize(
    "ends",
    [
        LedgerDown,
        lambda: ServiceError(StatusCode.UNAVAILABLE),
        lambda: ServiceError(StatusCode.ABORTED),
        lambda: ServiceError(StatusCode.FAILED_PRECONDITION, retry_after=3.0),
        lambda: ServiceError(StatusCode.DEADLINE_EXCEEDED, reason="DEADLINE_SPENT"),
    ],
)
async def test_an_error_that_says_that_nothing_was_done_gives_the_key_back(ends: Callable[[], ServiceError]) -> None:
    once, handler = stage(), Handler(ends)
    await failure(once, keyed(), handler)
    handler.ends = None
    await once(keyed(text="another request"), handler)
    assert handler.runs == 2


@pytest.mark.parametrize(
    "ends", [lambda: ServiceError(StatusCode.DEADLINE_EXCEEDED), draining, asyncio.CancelledError, KeyError]
)
async def test_a_key_stays_locked_for_a_while_where_nobody_knows_what_was_done(
    ends: Callable[[], BaseException],
) -> None:
    clock = VirtualClock()
    once, handler = stage(environment(clock), lock_ttl=30.0), Handler(ends)
    with pytest.raises((ServiceError, asyncio.CancelledError, KeyError)):
        await once(keyed(), handler)
    handler.ends = None
    await clock.advance(29.5)
    error = await failure(once, keyed(), handler)
    assert error is not None
    assert (error.code, error.retry_after) == (StatusCode.ABORTED, pytest.approx(0.5))
    await clock.advance(0.5)
    await once(keyed(), handler)
    assert handler.runs == 2


async def test_an_answer_that_is_not_the_handlers_is_not_kept() -> None:
    once = stage()

    async def falling_back(call: Call) -> None:
        call.response, call.served_from = Note(), "cache"

    await once(keyed(), falling_back)  # type: ignore[arg-type]  # the endpoint by shape
    error = await failure(once, keyed(), Handler())
    assert error is not None
    assert error.code is StatusCode.ABORTED


async def test_an_answer_is_kept_for_its_time_to_live() -> None:
    clock = VirtualClock()
    once, handler = stage(environment(clock), ttl=60.0), Handler()
    for _ in range(3):
        await once(keyed(), handler)
        await clock.advance(45.0)
    assert handler.runs == 2


async def test_streams_have_no_such_stage() -> None:
    policy = MethodPolicy(None, "CRITICAL", idempotency=IdempotencyPolicy(HEADER))
    assert idempotency.for_method(COUNT, policy, environment()) is None


# -- without the store -------------------------------------------------------------------------------------------


def without_store(on_error: str) -> Idempotency:
    return stage(environment(dependencies={"redis": NOBODY}), store="redis", store_timeout=5.0, on_store_error=on_error)


async def test_without_its_store_keys_may_be_kept_here() -> None:
    once, handler = without_store("localFallback"), Handler()
    for _ in range(2):
        await once(keyed(), handler)
    assert handler.runs == 1


async def test_without_its_store_calls_may_run_unprotected() -> None:
    once, handler = without_store("allow"), Handler()
    for _ in range(2):
        await once(keyed(), handler)
    assert handler.runs == 2


async def test_without_its_store_calls_with_a_key_may_be_refused() -> None:
    once, handler = without_store("reject"), Handler()
    error = await failure(once, keyed(), handler)
    assert error is not None
    assert (error.code, error.reason, error.retry_after) == (StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE", 1.0)
    await once(call_of(), handler)
    assert handler.runs == 1
