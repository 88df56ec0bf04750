"""Calls to an RPC of a dependency through its chain, on a clock that the test turns, around attempts that it scripts."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest
from grpc import StatusCode
from runtime.batch import Batch
from runtime.call import Header
from runtime.client.chain import composed
from runtime.client.environment import Dependency, Outbound, Target
from runtime.client.measures import CLIENT_EVENTS, ClientMeasures
from runtime.client.outgoing import Endpoint, Outgoing
from runtime.definition import Kind
from runtime.errors import DependencyError
from runtime.snapshot import (
    DependencyPolicy,
    FaultPolicy,
    OutgoingPolicy,
    RetryPolicy,
)
from runtime.testing import VirtualClock

from tests.runtime.sample_service import ECHO, POLICIES, Note

TWICE = RetryPolicy(max_attempts=3, initial_backoff=1.0, max_backoff=8.0, jitter="none")
Step = float | BaseException
"""What an attempt does: answers after so many seconds, or raises at once."""


def failing(code: StatusCode = StatusCode.UNAVAILABLE, **details: Any) -> DependencyError:
    return DependencyError("peer", code, **details)


class Attempts:
    """The transport: each attempt takes the next step, and is noted with its time."""

    def __init__(self, clock: VirtualClock, *steps: Step) -> None:
        self.clock = clock
        self.steps = list(steps)
        self.began: list[float] = []
        self.seen: list[Outgoing] = []
        self.metadata: list[tuple[Header, ...]] = []  # that each went out with
        self.cancelled = 0
        self.running = 0
        self.most = 0

    async def __call__(self, outgoing: Outgoing) -> None:
        self.began.append(self.clock.now())
        self.seen.append(outgoing)
        self.metadata.append(outgoing.metadata)
        step = self.steps.pop(0) if self.steps else 0.0
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if isinstance(step, BaseException):
                raise step
            if step:
                await self.clock.sleep(step)
            outgoing.response = Note(number=outgoing.attempt)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1


class Calls:
    """Calls to one RPC through its chain."""

    def __init__(
        self,
        policy: OutgoingPolicy,
        *steps: Step,
        idempotent: bool = True,
        kind: Kind = Kind.UNARY,
        faults: tuple[FaultPolicy, ...] = (),
        **outbound: Any,
    ) -> None:
        self.clock = VirtualClock(start=0.0)
        batch = Batch()
        self.registry = batch.registry
        shared = Outbound(POLICIES, {}, self.clock, Random(5), ClientMeasures(batch, (1.0,)), **outbound)
        self.dependency = Dependency("peer", DependencyPolicy("peer:1", policy, faults=faults), shared)
        self.attempts = Attempts(self.clock, *steps)
        target = Target(ECHO.path, policy, kind, idempotent, response=Note)
        self.endpoint: Endpoint = composed(target, self.dependency, self.attempts)

    async def call(self, within: float | None = None, request: Any = None, metadata: Any = ()) -> Outgoing:
        outgoing = Outgoing(ECHO.path, Note() if request is None else request, tuple(metadata), within)
        await self.endpoint(outgoing)
        return outgoing

    async def refused(self) -> DependencyError:
        """What a call fails with at once."""
        with pytest.raises(DependencyError) as caught:
            await self.call()
        return caught.value

    async def failure(self, within: float | None = None) -> DependencyError:
        with pytest.raises(DependencyError) as caught:
            await self.turning(self.call(within))
        return caught.value

    async def turning(self, work: Any, seconds: float = 100.0) -> Any:
        """What `work` comes to while the clock turns."""
        task = asyncio.ensure_future(work)
        await asyncio.sleep(0)
        await self.clock.advance(seconds)
        assert task.done(), "it waits for something that never comes"
        return await task

    def counted(self, stage: str, reason: str) -> float:
        labels = {"dependency": "peer", "stage": stage, "reason": reason, "rpc_method": ECHO.path[1:]}
        return self.registry.get_sample_value(f"{CLIENT_EVENTS}_total", labels) or 0.0
