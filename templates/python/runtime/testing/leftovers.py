"""What a test leaves behind in its process: tasks, timers, connections, files."""

from __future__ import annotations

import asyncio
import gc
import os
import stat
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from .scripted import PATIENCE

_KINDS = {stat.S_IFSOCK: "socket", stat.S_IFIFO: "pipe", stat.S_IFREG: "file", stat.S_IFDIR: "folder"}
"""The kinds of descriptors that are counted. Those of the kernel's own (epoll, eventfd) gRPC keeps for later, in a pool."""
_MOMENT = 0.2  # seconds

_DEADLINES = "Expiries._expire"
"""A server's one timer for the deadlines of all its calls, which stands past those that it was made for."""


def descriptors() -> Counter[str]:
    """How many sockets, pipes, files and folders this process has open."""
    found: Counter[str] = Counter()
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - hundreds of times, for numbers
        try:
            mode = os.fstat(int(name)).st_mode
        except OSError:  # the one that listed them
            continue
        if kind := _KINDS.get(stat.S_IFMT(mode)):
            found[kind] += 1
    return found


@contextmanager
def no_descriptor_left(within: float = PATIENCE) -> Iterator[None]:
    """Fail with AssertionError where more descriptors of a kind are open `within` seconds after than at the beginning."""
    before = descriptors()
    yield
    until = time.monotonic() + within
    while (left := descriptors() - before) and time.monotonic() < until:
        gc.collect()  # gRPC closes in threads, and tells nobody
    if left:
        raise AssertionError(f"left behind: {_said(left)}")


@asynccontextmanager
async def nothing_left_behind(within: float = PATIENCE) -> AsyncIterator[None]:
    """Fail with AssertionError where something begun inside is still there `within` seconds after.

    That is tasks and timers of the running event loop, and descriptors of the process: sockets, pipes, files. A server
    has all of these for as long as it listens: it is begun inside, too, or goes on.
    """
    loop = asyncio.get_running_loop()
    before = _there(loop)
    yield
    await _settled(lambda: not _there(loop) - before, min(within, _MOMENT))
    if _there(loop) - before:
        gc.collect()  # a channel goes with the error of its last call, which knows the frames that know it
        await _settled(lambda: not _there(loop) - before, within)
    if left := _there(loop) - before:
        raise AssertionError(f"left behind: {_said(left)}")


async def _settled(settled: Callable[[], bool], within: float) -> None:
    """Return once it is so, or after that many seconds."""
    loop = asyncio.get_running_loop()
    until = loop.time() + within  # no timer: it would be one of those that are counted
    while not settled() and loop.time() < until:  # noqa: ASYNC110 - gRPC closes in threads, and tells nobody
        await asyncio.sleep(0)


def _there(loop: asyncio.AbstractEventLoop) -> Counter[str]:
    """The tasks, timers and descriptors that there are, by what they are: servers replace theirs all the time."""
    tasks = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
    return Counter(f"task {_qualified(task.get_coro())}" for task in tasks) + _timers(loop) + descriptors()


def _timers(loop: asyncio.AbstractEventLoop) -> Counter[str]:
    """The callbacks that the loop is to call later. asyncio tells nobody of them; uvloop has no such lists at all."""
    private: Any = loop
    handles = [*getattr(private, "_scheduled", ()), *getattr(private, "_ready", ())]
    timers = [handle for handle in handles if isinstance(handle, asyncio.TimerHandle) and not handle.cancelled()]
    names = [_qualified(timer._callback) for timer in timers]  # type: ignore[attr-defined] # noqa: SLF001
    return Counter(f"timer {name}" for name in names if name != _DEADLINES)


def _qualified(what: object) -> str:
    return getattr(what, "__qualname__", None) or repr(what)


def _said(left: Counter[str]) -> str:
    return ", ".join(f"{what} ({count})" if count > 1 else what for what, count in sorted(left.items()))
