"""Tests of Operations: what its callers are told while work goes on, ends and fails."""

from google.longrunning.operations_pb2 import (
    CancelOperationRequest,
    GetOperationRequest,
    ListOperationsRequest,
    WaitOperationRequest,
)
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode

from operations.app import application
from operations.gen.definition import DEFINITION
from operations.gen.services.operations import CANCEL_OPERATION, GET_OPERATION, LIST_OPERATIONS, WAIT_OPERATION
from operations.runtime.testing import Entry, serving


async def test_a_cancelled_operation_ends_with_an_error() -> None:
    async with serving(DEFINITION, application) as service:
        name = "operations/endless"
        cancelled = await service.client.call(Entry(CANCEL_OPERATION), [CancelOperationRequest(name=name)])
        assert cancelled.succeeded
        (operation,) = (await service.client.call(Entry(WAIT_OPERATION), [WaitOperationRequest(name=name)])).responses
        assert operation.done
        assert operation.error.code == StatusCode.CANCELLED.value[0]


async def test_waiting_ends_before_the_deadline_does() -> None:
    async with serving(DEFINITION, application) as service:
        request = WaitOperationRequest(name="operations/endless", timeout=Duration(seconds=60))
        outcome = await service.client.call(Entry(WAIT_OPERATION), [request], deadline=0.3)
        assert outcome.succeeded
        assert not outcome.responses[0].done


async def test_the_list_can_be_filtered_and_turned_page_by_page() -> None:
    async with serving(DEFINITION, application) as service:
        names: list[str] = []
        request = ListOperationsRequest(name="operations", filter="done=false", page_size=1)
        while True:
            (page,) = (await service.client.call(Entry(LIST_OPERATIONS), [request])).responses
            names += [operation.name for operation in page.operations]
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
        assert "operations/endless" in names
        assert "operations/broken" not in names


async def test_an_operation_that_nobody_started_is_not_found() -> None:
    async with serving(DEFINITION, application) as service:
        outcome = await service.client.call(Entry(GET_OPERATION), [GetOperationRequest(name="operations/none")])
        assert outcome.code is StatusCode.NOT_FOUND
        assert outcome.message == "There is no operations/none"
