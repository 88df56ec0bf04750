"""A closed loop of calls: as many in flight as asked for, each answered one followed by the next."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import uvloop

WARM_UP = 0.3
"""Seconds of load before anything is counted."""


@dataclass(slots=True)
class Tally:
    """What the connections of one run have seen; `counting` is off while the server warms up."""

    counting: bool = False
    calls: int = 0
    every_call: int = 0  # those of the warm-up too
    failures: int = 0

    def answered(self) -> None:
        """A call was answered, and well."""
        self.every_call += 1
        if self.counting:
            self.calls += 1

    def failed(self) -> None:
        """A call was answered otherwise, or not at all."""
        self.every_call += 1
        self.failures += 1


@dataclass(frozen=True, slots=True)
class Round:
    """One run's outcome; `every_call` counts the warm-up's calls too, as the server's CPU time does."""

    calls: int
    every_call: int
    failures: int
    seconds: float

    @property
    def rate(self) -> float:
        """Calls answered in a second."""
        return self.calls / self.seconds


Connect = Callable[[Tally, int], asyncio.Protocol]
"""Makes a connection's protocol: its tally, and how many calls it keeps in flight."""


async def run(connect: Connect, port: int, connections: int, in_flight: int, seconds: float) -> Round:
    """Load the server on `port` of this machine for that long."""
    loop = asyncio.get_running_loop()
    tally = Tally()
    opened = [
        await loop.create_connection(lambda: connect(tally, in_flight), "127.0.0.1", port) for _ in range(connections)
    ]
    await asyncio.sleep(WARM_UP)
    tally.counting = True
    started = time.perf_counter()
    await asyncio.sleep(seconds)
    took = time.perf_counter() - started
    tally.counting = False
    calls = tally.calls
    for transport, _ in opened:
        transport.abort()
    return Round(calls, tally.every_call, tally.failures, took)


def main(connect: Connect, arguments: Sequence[str]) -> None:
    """The command of a load generator: prints the round as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--in-flight", type=int, default=8, help="calls at a time on each connection")
    parser.add_argument("--seconds", type=float, default=2.0)
    given = parser.parse_args(arguments)
    work = run(connect, given.port, given.connections, given.in_flight, given.seconds)
    json.dump(asdict(uvloop.run(work)), sys.stdout)
