"""Work that outlives its call: `call.spawn` puts it here, and the shutdown waits for it."""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import Coroutine
from contextvars import copy_context
from typing import Any

from .current import current_call

_log = logging.getLogger(__name__)


class Background:
    """The tasks that calls have started; a failure is logged, as nobody awaits it."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start `work`. It keeps the ids of the call that starts it, not its deadline: it may outlive both."""
        context = copy_context()
        call = current_call.get(None)
        if call is not None:
            detached = copy.copy(call)
            detached.deadline = None
            context.run(current_call.set, detached)
        task = asyncio.get_running_loop().create_task(work, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def wait(self, within: float) -> int:
        """Wait up to `within` seconds for all of it, what it starts meanwhile too; how many tasks are left."""
        loop = asyncio.get_running_loop()
        until = loop.time() + within
        while self._tasks and (left := until - loop.time()) > 0:
            await asyncio.wait(self._tasks, timeout=left)
        return len(self._tasks)

    async def cancel(self, within: float) -> int:
        """Cancel what is left and wait up to `within` seconds; how many tasks would not end."""
        for task in tuple(self._tasks):
            task.cancel()
        return await self.wait(within)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("work that a call had spawned failed", exc_info=error)
