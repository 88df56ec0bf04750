"""A client of the sample service as the generator writes it, and the real server that it calls."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from runtime.call import Header
from runtime.client.environment import Outbound
from runtime.client.grpc_client import GrpcClient, connection
from runtime.clock import Clock, LoopClock
from runtime.definition import Method
from runtime.snapshot import DependencyPolicy, OutgoingPolicy
from runtime.targets import target_variable
from runtime.testing import Scripted
from runtime.testing.dependencies import standing_in

from tests.runtime.sample_service import CHAT, COUNT, ECHO, GATHER, POLICIES

Given = Iterable[Header]

DECLARED = replace(POLICIES, dependencies={"sample": DependencyPolicy("127.0.0.1:1")})
"""The policies of a service that calls the sample."""


class SampleClient(GrpcClient):
    """Calls the sample. (ASYNC109: a call's timeout is sent to the peer.)"""

    DEPENDENCY: ClassVar[str] = "sample"
    METHODS: ClassVar[tuple[Method, ...]] = (ECHO, GATHER, COUNT, CHAT)

    async def echo(self, request: Any, *, timeout: float | None = None, metadata: Given = ()) -> Any:  # noqa: ASYNC109
        return await self._response(ECHO, request, timeout, metadata)

    async def gather(
        self, requests: AsyncIterable[Any], *, timeout: float | None = None, metadata: Given = ()  # noqa: ASYNC109
    ) -> Any:
        return await self._response(GATHER, requests, timeout, metadata)

    def count(self, request: Any, *, timeout: float | None = None, metadata: Given = ()) -> AsyncGenerator[Any, None]:
        return self._responses(COUNT, request, timeout, metadata)

    def chat(
        self, requests: AsyncIterable[Any], *, timeout: float | None = None, metadata: Given = ()
    ) -> AsyncGenerator[Any, None]:
        return self._responses(CHAT, requests, timeout, metadata)


@dataclass(frozen=True, slots=True)
class Called:
    """A client, and the scripted peer that it calls."""

    client: SampleClient
    peer: Scripted
    target: str


@asynccontextmanager
async def calling(**policy: Any) -> AsyncIterator[Called]:
    """A client of a scripted peer; keyword arguments are the dependency's policy (`total_timeout=…`)."""
    async with standing_in(SampleClient, DECLARED) as peer:
        declared = DependencyPolicy(
            "127.0.0.1:1", OutgoingPolicy(**policy)
        )  # nobody is there: the environment must win
        async with connection("sample", outbound(declared, peer.environ)) as connected:
            yield Called(SampleClient(connected), peer.scripted, peer.environ[target_variable("sample")])


def outbound(
    policy: DependencyPolicy, environ: Mapping[str, str] | None = None, clock: Clock | None = None
) -> Outbound:
    """What clients of the sample are opened with."""
    policies = replace(POLICIES, dependencies={"sample": policy})
    return Outbound(policies, environ or {}, clock or LoopClock(), random.Random(1))
