"""The composition root: which handlers serve, what they are given, and which stages run besides the built-in ones."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.wrappers_pb2 import Int32Value
from grpc import StatusCode

from .gen.clients import Clients
from .gen.errors import ServiceError
from .handlers.operations import Operations
from .jobs import Jobs
from .runtime.definition import Application


@asynccontextmanager
async def application(clients: Clients) -> AsyncIterator[Application]:
    """Open what the handlers need, hand it to them, and close it after the last call."""
    jobs = Jobs()
    # The contract has no RPC that starts one: an API of yours returns them. These three are here to be looked at.
    jobs.start("operations/count", count)
    jobs.start("operations/endless", endless)
    jobs.start("operations/broken", broken)
    try:
        yield Application(handlers=[Operations(clients, jobs)])
    finally:
        await jobs.close()


async def count(progress: Struct) -> Message:
    """Counts to ten within a second."""
    for number in range(1, 11):
        progress["counted"] = number
        await asyncio.sleep(0.1)
    return Int32Value(value=10)


async def endless(progress: Struct) -> Message:
    """Goes on until it is cancelled."""
    await asyncio.Event().wait()
    return Struct()


async def broken(progress: Struct) -> Message:
    """Fails."""
    raise ServiceError(StatusCode.DATA_LOSS, "the tape is torn")
