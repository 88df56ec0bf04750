"""After each test nothing is left in this process: no task, timer, connection, file; after each module that shares a loop, too."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
import pytest_asyncio
from runtime.testing import no_descriptor_left, nothing_left_behind


@pytest.fixture(scope="session")
def grpc_stays() -> Iterator[None]:
    """gRPC keeps the sockets and threads of its own from the first test to the last, whatever of it tests throw away."""
    loop = asyncio.new_event_loop()  # which it wants to see, and which tests of another folder may have taken away
    asyncio.set_event_loop(loop)
    grpc.aio.init_grpc_aio()
    yield
    grpc.aio.shutdown_grpc_aio()
    loop.close()


@pytest.fixture(scope="module", autouse=True)
def nothing_left_in_the_end(request: pytest.FixtureRequest, grpc_stays: None) -> None:
    """Modules whose tests share a loop leave nothing in the end: what the tests share is opened by them as they need it."""
    if _loop_scope(request.node) == "module":
        request.getfixturevalue("nothing_left_by_module")


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """No other test leaves anything behind, whatever it is for."""
    test: Any = request.node
    if _loop_scope(test) == "module":
        yield
    elif inspect.iscoroutinefunction(test.function):
        request.getfixturevalue("nothing_left_in_loop")
        yield
    else:
        with no_descriptor_left():
            yield


def _loop_scope(node: Any) -> object:
    mark = node.get_closest_marker("asyncio")
    return None if mark is None else mark.kwargs.get("loop_scope")


@pytest_asyncio.fixture
async def nothing_left_in_loop() -> AsyncIterator[None]:
    """A test with an event loop of its own leaves nothing in it."""
    async with nothing_left_behind():
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nothing_left_by_module() -> AsyncIterator[None]:
    """The tests of a module that share a loop, and what they share, leave nothing in the end."""
    async with nothing_left_behind():
        yield
