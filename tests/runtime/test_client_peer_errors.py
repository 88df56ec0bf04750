"""A dependency's declared errors: caught by their class, obeyed by policies, and never told to the caller as they came."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import orjson
import pytest
from grpc import StatusCode
from runtime.client.environment import Outbound
from runtime.client.grpc_client import connection
from runtime.client.http_transport import connection as http_connection
from runtime.definition import Application, ErrorTable
from runtime.errors import DependencyError, ErrorRow, PeerError, PeerRow, ServiceError, has_reason
from runtime.snapshot import BreakerPolicy, DependencyPolicy, HedgingPolicy, OutgoingPolicy, RetryPolicy
from runtime.testing import HurriedClock, Scripted, VirtualClock, answering, failing
from runtime.testing.client import Client
from runtime.testing.dependencies import call_dependency, standing_in
from runtime.testing.entries import entries
from runtime.testing.serving import serving, under_test

from tests.runtime.http_peer import FxClient, Seen, peer
from tests.runtime.http_peer import outbound as http_outbound
from tests.runtime.sample_client import DECLARED, SampleClient, outbound
from tests.runtime.sample_service import CHAT, COUNT, ECHO, GATHER, POLICIES, Note, definition

METHODS = (ECHO, GATHER, COUNT, CHAT)
DOMAIN = "stock.example.com"
HIDDEN = "what the peer keeps to itself"


class OutOfStockError(PeerError):
    """A row with a placeholder."""

    peer_row = PeerRow("OUT_OF_STOCK", DOMAIN)

    @property
    def sku(self) -> str:
        """Its placeholder."""
        return self.metadata_received.get("sku", "")


class BusyError(PeerError):
    """A code that is not tried again, of which the table says that it may be."""

    peer_row = PeerRow("BUSY", DOMAIN, retryable=True, breaker="failure")


class GoneError(PeerError):
    """A code that is tried again, of which the table says that it is of no use, and nobody's fault."""

    peer_row = PeerRow("GONE", DOMAIN, retryable=False, breaker="ignore")


class StockClient(SampleClient):
    """A client of a peer whose table is known."""

    ERRORS: ClassVar[tuple[type[PeerError], ...]] = (OutOfStockError, BusyError, GoneError)


@dataclass(frozen=True, slots=True)
class Called:
    """A client, and the peer that it calls."""

    client: StockClient
    peer: Scripted


@asynccontextmanager
async def calling(clock: VirtualClock | None = None, **policy: Any) -> AsyncIterator[Called]:
    async with standing_in(StockClient, DECLARED) as peer:
        calls = OutgoingPolicy(**policy)
        declared = DependencyPolicy("", calls, idempotent=frozenset(method.path for method in METHODS))
        async with connection("sample", outbound(declared, peer.environ, clock or HurriedClock())) as connected:
            yield Called(StockClient(connected), peer.scripted)


def out_of_stock() -> ServiceError:
    return ServiceError(StatusCode.FAILED_PRECONDITION, HIDDEN, reason="OUT_OF_STOCK", metadata={"sku": "ink"})


def busy() -> ServiceError:
    return ServiceError(StatusCode.ABORTED, HIDDEN, reason="BUSY")


def gone() -> ServiceError:
    return ServiceError(StatusCode.UNAVAILABLE, HIDDEN, reason="GONE")


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
async def test_a_declared_error_is_caught_by_its_class_with_what_the_peer_said(method: Any) -> None:
    async with calling() as sample:
        sample.peer.plays(failing(out_of_stock))
        with pytest.raises(OutOfStockError) as caught:
            await call_dependency(sample.client, method)
        assert caught.value.sku == "ink"
        assert (caught.value.code_received, caught.value.message_received) == (StatusCode.FAILED_PRECONDITION, HIDDEN)
        assert has_reason(caught.value, "OUT_OF_STOCK", DOMAIN)
        assert caught.value.dependency == "sample"


async def test_what_the_peer_does_not_say_is_empty() -> None:
    async with calling() as sample:
        sample.peer.plays(failing(lambda: ServiceError(StatusCode.ABORTED, reason="OUT_OF_STOCK")))
        with pytest.raises(OutOfStockError) as caught:
            await sample.client.echo(Note())
        assert caught.value.sku == ""


@pytest.mark.parametrize("reason", ["OUT_OF_PAPER", ""])
async def test_an_error_of_no_row_is_a_dependency_error(reason: str) -> None:
    async with calling() as sample:
        sample.peer.plays(failing(lambda: ServiceError(StatusCode.ABORTED, HIDDEN, reason=reason)))
        with pytest.raises(DependencyError) as caught:
            await sample.client.echo(Note())
        assert type(caught.value) is DependencyError


async def test_the_same_reason_of_another_domain_is_another_error() -> None:
    async with standing_in(SampleClient, DECLARED) as peer:
        peer.scripted.plays(failing(out_of_stock))  # of the domain of a peer that is not known
        async with connection("sample", outbound(DependencyPolicy(""), peer.environ)) as connected:
            with pytest.raises(DependencyError) as caught:
                await StockClient(connected).echo(Note())
            assert type(caught.value) is DependencyError


# -- policies ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("error", "attempts"), [(busy, 3), (gone, 1)])
async def test_an_error_is_tried_again_as_its_row_says_whatever_its_code(error: Any, attempts: int) -> None:
    async with calling(retry=RetryPolicy(3)) as sample:
        sample.peer.plays(failing(error))
        with pytest.raises(PeerError):
            await sample.client.echo(Note())
        assert len(sample.peer.received) == attempts


@pytest.mark.parametrize(("error", "attempts"), [(busy, 3), (gone, 1)])
async def test_a_hedged_call_goes_on_after_an_error_as_its_row_says(error: Any, attempts: int) -> None:
    async with calling(VirtualClock(), hedging=HedgingPolicy(3, 60.0)) as sample:
        sample.peer.plays(failing(error))
        with pytest.raises(PeerError):
            await sample.client.echo(Note())
        assert len(sample.peer.received) == attempts


@pytest.mark.parametrize(("error", "opens"), [(busy, True), (gone, False)])
async def test_a_breaker_counts_an_error_as_its_row_says_whatever_its_code(error: Any, opens: bool) -> None:
    async with calling(circuit_breaker=BreakerPolicy(failure_threshold=2)) as sample:
        sample.peer.plays(failing(error))
        for _ in range(2):
            with pytest.raises(PeerError):
                await sample.client.echo(Note())
        with pytest.raises(DependencyError) as caught:
            await sample.client.echo(Note())
        assert bool(caught.value.rejected_by) is opens


# -- what the caller gets ----------------------------------------------------------------------------------------


OWN = ErrorRow("OUT_OF_STOCK", StatusCode.FAILED_PRECONDITION, 409, "E-7", False, None, {"en": "No {sku}"}, ("sku",))
UNFILLED = replace(OWN, messages={"en": "Only {left}"}, placeholders=("left",))


@asynccontextmanager
async def handing_on(peer_error: Any, rows: dict[str, ErrorRow]) -> AsyncIterator[Client]:
    """A caller of a service whose handlers call the peer, and let its errors go."""
    table = ErrorTable("orders.example.com", rows, {})
    called = replace(POLICIES, dependencies={"sample": DependencyPolicy("")})
    async with standing_in(StockClient, DECLARED) as peer:
        peer.scripted.plays(failing(peer_error) if peer_error else answering())

        @asynccontextmanager
        async def opened(outbound: Outbound) -> AsyncIterator[StockClient]:
            async with connection("sample", replace(outbound, environ=peer.environ)) as connected:
                yield StockClient(connected)

        @asynccontextmanager
        async def application(client: StockClient) -> AsyncIterator[Application]:
            async def script(received: Any) -> Any:
                await received.read()
                await client.echo(Note())
                yield Note()

            yield Application(Scripted(definition(), script).handlers)

        served = replace(under_test(replace(definition(), policies=called, errors=table)), open_clients=opened)
        async with serving(served, application) as service:
            yield service.client


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
async def test_an_error_that_escapes_is_the_services_own_row_for_its_reason(protocol: str) -> None:
    async with handing_on(out_of_stock, {"OUT_OF_STOCK": OWN}) as caller:
        entry = next(entry for entry in entries(definition()) if entry.protocol == protocol)
        outcome = await caller.call(entry)
        assert (outcome.code, outcome.message) == (StatusCode.FAILED_PRECONDITION, "No ink")
        assert (outcome.info.reason, outcome.info.domain) == ("OUT_OF_STOCK", "orders.example.com")
        assert dict(outcome.info.metadata) == {"sku": "ink", "code": "E-7"}
        assert HIDDEN not in outcome.everything()


@pytest.mark.parametrize("rows", [{}, {"OUT_OF_STOCK": UNFILLED}], ids=["no row", "a row that it does not fill"])
async def test_any_other_error_that_escapes_is_unavailable(rows: dict[str, ErrorRow]) -> None:
    async with handing_on(out_of_stock, rows) as caller:
        outcome = await caller.call(entries(definition())[0])
        assert outcome.code is StatusCode.UNAVAILABLE
        assert HIDDEN not in outcome.everything()
        assert "ink" not in outcome.everything()


async def test_an_error_that_came_when_the_callers_time_was_up_is_a_deadline() -> None:
    late = failing(
        lambda: OutOfStockError("sample", StatusCode.DEADLINE_EXCEEDED, metadata={"sku": "ink"}, expired=True)
    )
    called = replace(POLICIES, dependencies={"sample": DependencyPolicy("")})
    served = replace(definition(), policies=called, errors=ErrorTable("d", {"OUT_OF_STOCK": OWN}, {}))
    async with serving(under_test(served), Scripted(served, late).application) as service:
        outcome = await service.client.call(entries(definition())[0])
        assert outcome.code is StatusCode.DEADLINE_EXCEEDED


# -- over HTTP ---------------------------------------------------------------------------------------------------


class StockOverHttp(FxClient):
    """A client over HTTP of a peer whose table is known."""

    ERRORS: ClassVar[tuple[type[PeerError], ...]] = (OutOfStockError, BusyError, GoneError)


def conflict(seen: Seen) -> None:
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "BUSY", "domain": DOMAIN}
    error = {"code": 409, "status": "ABORTED", "message": HIDDEN, "details": [info]}
    seen.answer(409, orjson.dumps({"error": error}))


async def test_over_http_a_declared_error_is_caught_by_its_class_and_obeyed() -> None:
    async with peer(conflict) as stock:
        declared = DependencyPolicy(stock.url, OutgoingPolicy(retry=RetryPolicy(3)))
        async with http_connection("fx", http_outbound(declared, clock=HurriedClock())) as connected:
            with pytest.raises(BusyError) as caught:
                await StockOverHttp(connected).get("/")
            assert (caught.value.http_received, len(stock.seen)) == (409, 3)
