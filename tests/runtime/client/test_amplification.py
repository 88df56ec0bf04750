"""What a total outage does to those who are down: no more load than the budget of retries has for it, over real sockets."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from grpc import StatusCode
from runtime.errors import DependencyError
from runtime.snapshot import OutgoingPolicy, RetryBudgetPolicy, RetryPolicy
from runtime.testing import VirtualClock

from tests.runtime.client.peer import Arrived, Behaviour, Peer, client_of, failing, listening
from tests.runtime.sample_client import SampleClient
from tests.runtime.sample_service import Note

CALLS = 100_000 if os.environ.get("HYPOTHESIS_PROFILE") == "fuzz" else 10_000
AT_ONCE = 50
DOWN = failing(StatusCode.UNAVAILABLE)


class Unmoved(VirtualClock):
    """No time passes, and nobody waits for it: all calls are of one window."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


def retrying(budget: RetryBudgetPolicy | None) -> OutgoingPolicy:
    return OutgoingPolicy(retry=RetryPolicy(max_attempts=3, budget=budget))


async def outage(client: SampleClient, calls: int) -> None:
    """Make so many calls, some at once; all of them fail."""
    left = iter(range(calls))

    async def caller() -> None:
        for _ in left:
            try:
                await client.echo(Note())
            except DependencyError:
                continue
            raise AssertionError("it is down")

    await asyncio.gather(*(caller() for _ in range(AT_ONCE)))


async def test_an_outage_multiplies_the_load_by_the_budgets_share_and_its_floor_at_most(tmp_path: Path) -> None:
    budget = RetryBudgetPolicy(percent=20.0, min_per_second=3.0, window=10.0)
    address = f"unix:{tmp_path / 'peer'}"
    async with listening(DOWN, address) as peer, client_of(address, retrying(budget), Unmoved()) as client:
        await outage(client, CALLS)
    assert CALLS * 1.19 < len(peer.arrived) <= CALLS * 1.2 + 3 * 10


@asynccontextmanager
async def layers(folder: Path, budget: RetryBudgetPolicy | None) -> AsyncIterator[tuple[SampleClient, Peer]]:
    """Three servers in a row, the last of which is down, and a client of the first; each calls the next as the client does."""
    async with AsyncExitStack() as stack:
        last = await stack.enter_async_context(listening(DOWN, f"unix:{folder / 'last'}"))
        client = await stack.enter_async_context(client_of(last.address, retrying(budget), Unmoved()))
        for name in ("middle", "first"):
            layer = await stack.enter_async_context(listening(handing_on(client), f"unix:{folder / name}"))
            client = await stack.enter_async_context(client_of(layer.address, retrying(budget), Unmoved()))
        yield client, last


def handing_on(client: SampleClient) -> Behaviour:
    async def behave(arrived: Arrived) -> bytes:
        try:
            await client.echo(Note())
        except DependencyError:
            return await DOWN(arrived)
        raise AssertionError("it is down")

    return behave


async def test_through_three_layers_budgets_leave_1_73_times_the_load(tmp_path: Path) -> None:
    calls = CALLS // 10
    budget = RetryBudgetPolicy(percent=20.0, min_per_second=0.0, window=10.0)
    async with layers(tmp_path, budget) as (client, last):
        await outage(client, calls)
    assert calls * 1.6 < len(last.arrived) <= calls * 1.73


async def test_without_budgets_three_layers_make_27_times_the_load(tmp_path: Path) -> None:
    async with layers(tmp_path, None) as (client, last):
        await outage(client, 5)
    assert len(last.arrived) == 5 * 27
