"""Whether dependencies can be reached when the service starts: what its readiness waits for, once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

from ..clock import Clock

ATTEMPT: Final = 1.0
"""Seconds that one look may take."""

PAUSE: Final = 0.5
"""Seconds between two looks."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Probe:
    """How it is seen that a dependency can be reached: a connection is made, and nothing asked."""

    dependency: str
    optional: bool  # the service is ready without it
    connect: Callable[[float], Awaitable[bool]]  # whether it was made within so many seconds; may raise


async def reach(probes: Iterable[Probe], within: float, clock: Clock, ready: Callable[[], None]) -> None:
    """Try all of them, side by side, for up to `within` seconds.

    `ready` is called once: when those that are not optional were reached, or their time is over. Each that is not
    reached at the first look is told in the log.
    """
    looking = {asyncio.create_task(_reached(probe, clock)): probe for probe in probes}
    over = asyncio.create_task(clock.sleep(within))
    left, waiting = set(looking), True
    try:
        while left and not over.done():
            if waiting and all(looking[task].optional for task in left):
                waiting = False
                ready()
            await asyncio.wait((*left, over), return_when=asyncio.FIRST_COMPLETED)
            left = {task for task in left if not task.done()}
        missing = [probe.dependency for task, probe in looking.items() if task in left and not probe.optional]
        if missing:
            _log.error("ready without %s, which could not be reached in %g s", " and ".join(missing), within)
        if waiting:
            ready()
    finally:
        for task in (*looking, over):
            task.cancel()
        await asyncio.gather(*looking, over, return_exceptions=True)


async def _reached(probe: Probe, clock: Clock) -> None:
    told = False
    while (problem := await _look(probe)) is not None:
        if not told:
            without = "the service is ready without it" if probe.optional else "the service is not ready before it is"
            _log.warning("%s cannot be reached: %s; %s", probe.dependency, problem, without)
            told = True
        await clock.sleep(PAUSE)
    if told:
        _log.info("%s has been reached", probe.dependency)


async def _look(probe: Probe) -> str | None:
    """What keeps it from being reached, None where nothing does."""
    try:
        return None if await probe.connect(ATTEMPT) else f"no connection within {ATTEMPT:g} s"
    except Exception as error:  # noqa: BLE001 - whatever a client's library raises, it is not there
        return str(error) or type(error).__name__


async def tcp(host: str, port: int, within: float) -> bool:
    """Whether a TCP connection is made within so many seconds; it is closed at once. Raises OSError."""
    try:
        async with asyncio.timeout(within):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return False
    writer.close()
    return True
