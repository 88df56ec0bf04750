"""Calls over HTTP to a peer that misbehaves: what each misbehaviour is taken for, what is tried again, what is left."""

from __future__ import annotations

import asyncio
import email.utils
import gc
import time
from dataclasses import replace
from typing import Any

import pytest
from grpc import StatusCode
from runtime.batch import Batch
from runtime.client.http_transport import connection
from runtime.client.measures import ClientMeasures
from runtime.snapshot import (
    BreakerPolicy,
    BulkheadPolicy,
    DependencyPolicy,
    HedgingPolicy,
    IdempotencyKeyPolicy,
    OutgoingPolicy,
    RetryPolicy,
)
from runtime.testing import HurriedClock, VirtualClock, nothing_left_behind

from tests.runtime.http_peer import FxClient, Peer, Script, Seen, client_of, failure, outbound, peer, status

TWICE = RetryPolicy(max_attempts=2, initial_backoff=0.001, max_backoff=0.001, jitter="none")
KEY = IdempotencyKeyPolicy("Idempotency-Key")
BREAKER = BreakerPolicy(failure_threshold=2, open_initial=10.0, open_jitter=0.0, half_open_calls=1)


def first(misbehave: Script, then: Script = lambda seen: seen.answer()) -> Script:
    """Misbehave once, then be well."""
    left = [misbehave]
    return lambda seen: (left.pop() if left else then)(seen)


# -- what a misbehaviour is taken for ------------------------------------------------------------------------------


def says_nothing(seen: Seen) -> None:
    seen.close()


def resets(seen: Seen) -> None:
    seen.reset()


def lies_about_its_length(seen: Seen) -> None:
    seen.send("HTTP/1.1 200 X\r\ncontent-length: 10\r\n\r\n", b"abc")
    seen.close()


def breaks_a_chunk_off(seen: Seen) -> None:
    seen.send("HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n", "a\r\nabc")
    seen.close()


def breaks_its_head_off(seen: Seen) -> None:
    seen.send("HTTP/1.1 200 X\r\ncontent-le")
    seen.close()


def speaks_another_language(seen: Seen) -> None:
    seen.send("SSH-2.0-OpenSSH_9.6\r\n\r\n")
    seen.close()


def has_an_endless_header(seen: Seen) -> None:
    seen.send("HTTP/1.1 200 X\r\nx-a: ", "a" * 100_000, "\r\n\r\n")


def has_two_lengths(seen: Seen) -> None:
    seen.send("HTTP/1.1 200 X\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab")
    seen.close()


def is_no_gzip(seen: Seen) -> None:
    seen.answer(200, b"abc", content_encoding="gzip")


BROKEN = (says_nothing, resets, lies_about_its_length, breaks_a_chunk_off, breaks_its_head_off)
GARBLED = (speaks_another_language, has_an_endless_header, has_two_lengths)


@pytest.mark.parametrize("script", BROKEN, ids=lambda script: script.__name__)
async def test_a_connection_that_is_lost_is_unavailable(script: Script) -> None:
    async with nothing_left_behind(), peer(script) as fx, client_of(fx.url, total_timeout=5.0) as client:
        error = await failure(client.get("/x"))
        assert (error.code, error.code_received, error.broken) == (StatusCode.UNAVAILABLE, StatusCode.UNAVAILABLE, True)
        assert len(fx.seen) == 1, "it was asked once"


@pytest.mark.parametrize("script", GARBLED, ids=lambda script: script.__name__)
async def test_an_answer_that_is_no_http_is_an_error_of_the_dependency(script: Script) -> None:
    async with nothing_left_behind(), peer(script) as fx, client_of(fx.url, total_timeout=5.0) as client:
        error = await failure(client.get("/x"))
        assert (error.code, error.code_received) == (StatusCode.UNAVAILABLE, StatusCode.INTERNAL)
        assert "OpenSSH" not in str(error)


async def test_content_that_is_not_compressed_as_it_says_is_no_answer() -> None:
    async with peer(is_no_gzip) as fx, client_of(fx.url) as client:
        assert (await failure(client.get("/x"))).code is StatusCode.UNAVAILABLE


async def test_a_peer_that_is_not_there_is_unavailable_and_so_is_a_name_that_nobody_has() -> None:
    for target in ("http://127.0.0.1:1", "http://fx.invalid"):
        async with client_of(target) as client:
            error = await failure(client.get("/x"))
            assert (error.code_received, error.broken) == (StatusCode.UNAVAILABLE, True)
            assert "127.0.0.1" not in error.message


@pytest.mark.parametrize(
    "script",
    [
        lambda seen: None,
        lambda seen: seen.send("HTTP/1.1 200 X\r\ncontent-length: 10\r\n\r\nabc"),
        lambda seen: trickle(seen),
    ],
    ids=["stalls", "stalls half way", "trickles"],
)
async def test_an_answer_that_takes_too_long_is_not_waited_for_and_its_connection_is_closed(script: Script) -> None:
    async with nothing_left_behind(), peer(script) as fx, client_of(fx.url, attempt_timeout=0.1) as client:
        error = await failure(client.get("/x"))
        assert (error.attempt_expired, error.broken, error.expired) == (True, True, False)
        assert (error.code, error.code_received) == (StatusCode.DEADLINE_EXCEEDED,) * 2
        fx.script = lambda seen: seen.answer()
        await client.get("/x")
        assert fx.connections == 2


async def trickle(seen: Seen) -> None:
    seen.send("HTTP/1.1 200 X\r\ncontent-length: 100000\r\n\r\n")
    while not seen.writer.is_closing():
        seen.send("a")
        await asyncio.sleep(0.005)


async def test_the_time_of_the_call_is_told_from_that_of_an_attempt() -> None:
    async with peer(lambda seen: None) as fx, client_of(fx.url, total_timeout=0.1, attempt_timeout=5.0) as client:
        error = await failure(client.get("/x"))
        assert (error.expired, error.attempt_expired, error.broken, error.final) == (True, False, False, True)


# -- what is tried again -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", [*BROKEN, status(502), status(503)])
async def test_what_may_happen_twice_is_made_again_after_a_broken_connection_502_and_503(script: Script) -> None:
    async with peer(first(script)) as fx, client_of(fx.url, retry=TWICE) as client:
        assert (await client.get("/x")).status == 200
        assert [seen.header("grpc-previous-rpc-attempts") for seen in fx.seen] == [None, "1"]


@pytest.mark.parametrize("code", [400, 401, 403, 404, 408, 409, 410, 418, 429, 500, 501, 504])
async def test_other_failures_are_not_tried_again(code: int) -> None:
    async with peer(status(code)) as fx, client_of(fx.url, retry=TWICE) as client:
        await failure(client.get("/x"))
        assert len(fx.seen) == 1


@pytest.mark.parametrize(
    ("verb", "key", "attempts"),
    [(verb, None, 2) for verb in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE")]
    + [("POST", None, 1), ("PATCH", None, 1), ("POST", KEY, 2), ("PATCH", KEY, 2)],
)
async def test_only_idempotent_methods_are_repeated_and_those_with_a_key(verb: str, key: Any, attempts: int) -> None:
    async with peer(status(503)) as fx, client_of(fx.url, retry=TWICE, idempotency=key) as client:
        await failure(client.request(verb, "/x"))
        assert len(fx.seen) == attempts
        assert len({seen.header("idempotency-key") for seen in fx.seen}) == 1
        assert (fx.seen[0].header("idempotency-key") is not None) is (key is not None)


@pytest.mark.parametrize("code", [429, 503])
async def test_retry_after_in_seconds_takes_the_place_of_the_backoff(code: int) -> None:
    clock = HurriedClock()
    async with peer(first(status(code, retry_after="7"))) as fx, client_of(fx.url, clock, retry=TWICE) as client:
        began = clock.now()
        await client.get("/x")
        assert (clock.now() - began, len(fx.seen)) == (7.0, 2)


async def test_retry_after_may_be_a_date() -> None:
    clock = HurriedClock()
    date = email.utils.formatdate(time.time() + 60, usegmt=True)
    async with peer(first(status(503, retry_after=date))) as fx, client_of(fx.url, clock, retry=TWICE) as client:
        began = clock.now()
        await client.get("/x")
        assert 50 < clock.now() - began <= 60
        assert len(fx.seen) == 2


async def test_nobody_waits_longer_than_there_is_time() -> None:
    async with peer(status(503, retry_after="60")) as fx, client_of(fx.url, retry=TWICE, total_timeout=5.0) as client:
        assert (await failure(client.get("/x"))).pushback == 60.0
        assert len(fx.seen) == 1


@pytest.mark.parametrize("code", [429, 503])
async def test_retry_after_keeps_a_breaker_open_at_least_that_long(code: int) -> None:
    clock = VirtualClock()
    async with peer(status(503)) as fx, client_of(fx.url, clock, circuit_breaker=BREAKER) as client:
        for _ in range(2):
            await failure(client.get("/x"))
        fx.script = status(code, retry_after="100")
        await clock.advance(10.0)
        assert (await failure(client.get("/x"))).http_received == code  # the probe
        fx.script = lambda seen: seen.answer()
        await clock.advance(99.0)
        assert (await failure(client.get("/x"))).rejected_by == "circuit_breaker"
        await clock.advance(1.0)
        assert (await client.get("/x")).status == 200


async def test_a_peer_that_dies_and_returns_is_called_again() -> None:
    made = Peer()
    async with made.listening():
        pass  # it has a port, and nobody there
    clock = VirtualClock()
    async with client_of(made.url, clock, circuit_breaker=BREAKER) as client:
        for _ in range(2):
            await failure(client.get("/x"))
        async with made.listening():
            assert (await failure(client.get("/x"))).rejected_by == "circuit_breaker"
            await clock.advance(10.0)
            assert (await client.get("/x")).status == 200
        error = await failure(client.get("/x"))
        assert error.code_received is StatusCode.UNAVAILABLE
        async with made.listening():
            assert (await client.get("/x")).status == 200


async def test_a_slow_attempt_is_raced_and_the_loser_leaves_the_connection() -> None:
    hedging = HedgingPolicy(max_attempts=2, delay=0.05)
    async with nothing_left_behind(), peer() as fx, client_of(fx.url, hedging=hedging) as client:
        fx.script = first(lambda seen: None)
        assert (await client.get("/x")).status == 200
        assert len(fx.seen) == 2
        await fx.seen[0].gone()


async def test_an_operation_has_its_own_policy_whatever_its_variable_is_called_here() -> None:
    methods = {"GET /rates/{base}": OutgoingPolicy(retry=TWICE)}
    async with peer(status(503)) as fx, client_of(fx.url, methods=methods) as client:
        for template, attempts in (("/rates/{base}", 2), ("/rates/{b}", 2), ("/rates/{b}/x", 1)):
            fx.seen.clear()
            name = next(iter(template.split("{")[1].split("}")))
            error = await failure(client.get(template, path={name: "EUR"}))
            assert len(fx.seen) == attempts
            assert error.method == ("GET /rates/{base}" if attempts == 2 else "GET")


async def test_only_requests_that_are_made_have_metrics_and_no_path_is_a_label() -> None:
    batch = Batch()
    async with peer() as fx:
        declared = replace(outbound(DependencyPolicy(fx.url)), measures=ClientMeasures(batch, (1.0,)))
        async with connection("fx", declared) as connected:
            client = FxClient(connected)
            await client.get("/rates/{b}", path={"b": "EUR"})
            for number in range(3):
                await client.get(f"/anything/{number}")
    labels = {sample.labels["rpc_method"] for metric in batch.registry.collect() for sample in metric.samples}
    assert labels == {"GET /rates/{base}", "POST /orders", "GET"}


async def test_no_more_requests_are_on_their_way_than_permits() -> None:
    async with peer(lambda seen: None) as fx, client_of(fx.url, bulkhead=BulkheadPolicy(1)) as client:
        running = asyncio.create_task(client.get("/x"))
        await fx.arrived()
        assert (await failure(client.get("/x"))).rejected_by == "bulkhead"
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert len(fx.seen) == 1


# -- cancellation --------------------------------------------------------------------------------------------------


async def steps(seen: Seen) -> None:
    """An answer in many pieces, each on its own turn of the loop."""
    head = "HTTP/1.1 200 X\r\ncontent-length: 40\r\n\r\n"
    for piece in (head[:20], head[20:], *["a" * 10] * 4):
        if seen.writer.is_closing():
            return
        seen.send(piece)
        await seen.writer.drain()
        await asyncio.sleep(0)


async def test_nothing_leaks_wherever_the_caller_cancels() -> None:
    """Cancel at each turn of the loop that a call takes, until one is through before it is cancelled."""
    policy = {"retry": TWICE, "bulkhead": BulkheadPolicy(1), "total_timeout": 5.0}
    async with nothing_left_behind(), peer(first(says_nothing, steps)) as fx, client_of(fx.url, **policy) as client:
        finished, turns = 0, 0
        while finished < 3:
            fx.script = first(says_nothing, steps)
            call = asyncio.create_task(client.get("/x"))
            for _ in range(turns):
                await asyncio.sleep(0)
            call.cancel()
            (outcome,) = await asyncio.gather(call, return_exceptions=True)
            finished += not isinstance(outcome, asyncio.CancelledError)
            turns += 1
            assert turns < 500
        assert turns > 10
        fx.script = lambda seen: seen.answer()
        assert (await client.get("/x")).status == 200, "the permit is back"
        for seen in fx.seen[:-1]:
            if seen.number != fx.seen[-1].number:
                await seen.gone()
    gc.collect()  # what was not closed would warn here


async def test_a_client_that_is_closed_while_it_waits_fails_its_calls() -> None:
    async with nothing_left_behind(), peer(lambda seen: None) as fx:
        async with client_of(fx.url) as client:
            call = asyncio.create_task(client.get("/x"))
            await fx.arrived()
        error = await failure(call)
        assert error.code is StatusCode.UNAVAILABLE
