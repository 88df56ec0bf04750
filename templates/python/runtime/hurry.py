"""Whether a shutdown waits: what it pauses for, and what ends the pauses."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Hurry:
    """Whether the waits of a shutdown are to be skipped, and waits that end when they are."""

    def __init__(self, *, hurried: bool = False) -> None:
        self._event = asyncio.Event()
        if hurried:
            self._event.set()

    def set(self) -> None:
        """Skip what is being waited for, and every later wait."""
        self._event.set()

    async def pause(self, seconds: float) -> None:
        """Wait that long, or until hurried."""
        hurried = asyncio.ensure_future(self._event.wait())
        await asyncio.wait((hurried,), timeout=seconds)
        hurried.cancel()

    async def wait_for(self, work: Coroutine[Any, Any, object], seconds: float) -> bool:
        """Wait for `work` that long, or until hurried; whether `work` was done."""
        working = asyncio.ensure_future(work)
        hurried = asyncio.ensure_future(self._event.wait())
        await asyncio.sleep(0)  # what is done already counts even in a hurry
        try:
            await asyncio.wait((working, hurried), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            return working.done()
        finally:
            working.cancel()
            hurried.cancel()
            await asyncio.gather(working, hurried, return_exceptions=True)
