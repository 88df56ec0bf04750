"""Handlers of google.longrunning.Operations: yours to fill in; new RPCs are added at the end of the class."""

from __future__ import annotations

from google.longrunning.operations_pb2 import (
    CancelOperationRequest,
    DeleteOperationRequest,
    GetOperationRequest,
    ListOperationsRequest,
    ListOperationsResponse,
    Operation,
    WaitOperationRequest,
)
from google.protobuf.empty_pb2 import Empty

from ..gen import errors
from ..gen.clients import Clients
from ..gen.services.operations import OperationsBase
from ..jobs import Job, Jobs
from ..runtime.call import Call

PAGE = 100  # operations
ANSWERING = 0.1  # seconds kept of a caller's deadline to answer in
FILTERS = {"": (True, False), "done=true": (True,), "done=false": (False,)}


class Operations(OperationsBase):
    """Long-running operations: to look at, wait for, cancel and forget."""

    def __init__(self, clients: Clients, jobs: Jobs) -> None:
        super().__init__(clients)
        self._jobs = jobs

    async def list_operations(self, request: ListOperationsRequest, call: Call) -> ListOperationsResponse:
        """Lists the operations, oldest first; `filter` is `done=true`, `done=false` or nothing."""
        wanted = FILTERS.get(request.filter.replace(" ", ""))
        if wanted is None:
            raise errors.InvalidArgument(field="filter")
        found = [operation for job in self._jobs if (operation := job.operation).done in wanted]
        names = [operation.name for operation in found]
        if request.page_size < 0:
            raise errors.InvalidArgument(field="page_size")
        if request.page_token and request.page_token not in names:
            raise errors.InvalidArgument(field="page_token")
        start = names.index(request.page_token) if request.page_token else 0
        end = start + min(request.page_size or PAGE, PAGE)
        return ListOperationsResponse(operations=found[start:end], next_page_token="".join(names[end : end + 1]))

    async def get_operation(self, request: GetOperationRequest, call: Call) -> Operation:
        """Returns an operation as it is now."""
        return self._find(request.name).operation

    async def delete_operation(self, request: DeleteOperationRequest, call: Call) -> Empty:
        """Forgets an operation; what it does, it goes on doing."""
        self._jobs.forget(self._find(request.name))
        return Empty()

    async def cancel_operation(self, request: CancelOperationRequest, call: Call) -> Empty:
        """Starts to cancel an operation, and answers at once; the service ends only after the work has."""
        call.spawn(self._find(request.name).cancel())
        return Empty()

    async def wait_operation(self, request: WaitOperationRequest, call: Call) -> Operation:
        """Returns an operation when it is done, or as it is after `timeout` or shortly before the call's deadline."""
        job = self._find(request.name)
        limits = []
        if request.HasField("timeout"):
            limits.append(request.timeout.ToTimedelta().total_seconds())
        if (remaining := call.time_remaining()) is not None:
            limits.append(remaining - ANSWERING)
        await job.wait(max(0.0, min(limits)) if limits else None)
        return job.operation

    def _find(self, name: str) -> Job:
        job = self._jobs.find(name)
        if job is None:
            raise errors.NotFound(operation=name)
        return job
