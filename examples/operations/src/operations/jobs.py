"""Long-running work in memory, and how far it is as a google.longrunning.Operation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator

from google.longrunning.operations_pb2 import Operation
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from grpc import StatusCode

from .runtime.errors import ServiceError

_log = logging.getLogger(__name__)

Work = Callable[[Struct], Awaitable[Message]]
"""What a job does: it reports its progress in the struct, which callers see as the operation's metadata."""


class Job:
    """One piece of work under way, or its end."""

    def __init__(self, name: str, work: Work) -> None:
        self.name = name
        self._progress = Struct()
        self._task = asyncio.ensure_future(work(self._progress))
        self._task.add_done_callback(self._log_failure)

    @property
    def operation(self) -> Operation:
        """How far the work is now."""
        operation = Operation(name=self.name, done=self._task.done())
        operation.metadata.Pack(self._progress)
        if not operation.done:
            return operation
        if self._task.cancelled():
            _fail(operation, StatusCode.CANCELLED, "cancelled on request")
        elif (error := self._task.exception()) is None:
            operation.response.Pack(self._task.result())
        elif isinstance(error, ServiceError):
            _fail(operation, error.code, error.message)
        else:
            _fail(operation, StatusCode.INTERNAL, "")  # its text is for the log, not for callers
        return operation

    async def wait(self, seconds: float | None) -> None:
        """Return when the work has ended, or after that many seconds."""
        await asyncio.wait({self._task}, timeout=seconds)

    async def cancel(self) -> None:
        """Cancel the work, and return when it has ended."""
        self._task.cancel()
        await asyncio.wait({self._task})

    def _log_failure(self, task: asyncio.Future[Message]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("%s failed", self.name, exc_info=error)


class Jobs:
    """All jobs, by name, in the order they were started."""

    def __init__(self) -> None:
        self._known: dict[str, Job] = {}
        self._forgotten: set[Job] = set()  # and still at work

    def start(self, name: str, work: Work) -> Job:
        """Start work under a name that is not taken."""
        job = self._known[name] = Job(name, work)
        return job

    def find(self, name: str) -> Job | None:
        return self._known.get(name)

    def forget(self, job: Job) -> None:
        """Make the job unknown; work under way goes on."""
        del self._known[job.name]
        self._forgotten = {job for job in (*self._forgotten, job) if not job.operation.done}

    async def close(self) -> None:
        """Cancel what is still at work."""
        await asyncio.gather(*(job.cancel() for job in [*self._known.values(), *self._forgotten]))

    def __iter__(self) -> Iterator[Job]:
        return iter(list(self._known.values()))


def _fail(operation: Operation, code: StatusCode, message: str) -> None:
    operation.error.code = code.value[0]
    operation.error.message = message
