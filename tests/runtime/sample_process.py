"""`python -m tests.runtime.sample_process`: the sample service as a process of its own, for the tests of signals.

SAMPLE_LIFECYCLE holds changes to the lifecycle policy as JSON; SAMPLE_FAULT names something wrong with the application;
SAMPLE_NEEDS is the URL of a dependency. With SAMPLE_SCORE, each process judges itself by the failures of its handlers.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from runtime.call import Call
from runtime.client.environment import Outbound
from runtime.client.http_transport import connection
from runtime.definition import Application
from runtime.lifecycle import main
from runtime.snapshot import BreakerPolicy, DependencyPolicy, ScorePolicy

from tests.runtime.sample_service import ECHO, POLICIES, Note, Sample, definition

FAULT = os.environ.get("SAMPLE_FAULT", "")
NEEDS = os.environ.get("SAMPLE_NEEDS", "")


class Restless(Sample):
    """`Echo` does what its request's text says to the process that serves it."""

    async def echo(self, request: Any, call: Call) -> Any:
        match request.text:
            case "pid":
                return Note(number=os.getpid())
            case "fail":
                raise OSError(f"{os.getpid()}")
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "block":
                print("blocking", flush=True)
                while True:  # no await: the loop is held
                    time.sleep(0.01)  # noqa: ASYNC251 - the fault
            case "wait":
                print("waiting", flush=True)
                await asyncio.sleep(float(request.number) / 1000)
            case "swallow":
                print("waiting", flush=True)
                await _swallowing()
            case "log":
                logging.getLogger("shop").warning("stock of %s is low", "a", extra={"left": 3, "card_number": "4111"})
            case "spawn":
                call.spawn(_spawned())
        return Note(text=request.text, number=request.number)


async def _swallowing() -> None:
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            print("swallowed", flush=True)


async def _spawned() -> None:
    await asyncio.sleep(0.3)
    print("spawned work done", flush=True)


async def _failing() -> None:
    raise RuntimeError("the application's own task failed")


@asynccontextmanager
async def clients_of(outbound: Outbound) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for name in outbound.policies.dependencies:
            await stack.enter_async_context(connection(name, outbound))
        yield None


@asynccontextmanager
async def application(clients: Any) -> AsyncIterator[Application]:
    if FAULT == "raise":
        raise RuntimeError("no database")
    if FAULT == "slow":
        print("starting", flush=True)
        await asyncio.sleep(3600)
    if FAULT == "no-handler":
        yield Application([object()])  # type: ignore[list-item]  # the fault
        return
    if FAULT == "task":
        async with asyncio.TaskGroup() as group:
            group.create_task(_failing())
            yield Application([Restless(clients)])
        return
    yield Application([Restless(clients)])
    print("application closed", flush=True)


if __name__ == "__main__":
    changes = json.loads(os.environ.get("SAMPLE_LIFECYCLE", "{}"))
    guarded = {ECHO.path: dataclasses.replace(POLICIES.methods[ECHO.path], breaker=BreakerPolicy(failure_threshold=3))}
    by_failures = ScorePolicy(threshold=75, error_rate=1.0, dependency_latency=0.0, saturation=0.0, business=0.0)
    score = by_failures if "SAMPLE_SCORE" in os.environ else None
    needs = {"needed": DependencyPolicy(NEEDS)} if NEEDS else {}
    declared = definition(
        lifecycle=dataclasses.replace(POLICIES.lifecycle, **changes),
        dependencies=needs,
        methods=POLICIES.methods | ({} if score else guarded),
        score=score,
    )
    raise SystemExit(main(dataclasses.replace(declared, open_clients=clients_of), application))
