"""A call without a transport, to hand to a handler in a test of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from google.protobuf.message import Message

from ..call import Call, Header
from ..current import current_call
from ..definition import Method
from ..metadata import Metadata
from ..principal import Principal


class _Nowhere:
    """A wire that brings the given messages and keeps what is sent."""

    def __init__(self, incoming: Iterable[Message]) -> None:
        self._incoming = iter(incoming)
        self.headers: list[Header] = []
        self.sent: list[Message] = []

    async def receive(self) -> Message | None:
        return next(self._incoming, None)

    async def send_headers(self, headers: Sequence[Header]) -> None:
        self.headers = list(headers)

    async def send(self, message: Message) -> None:
        self.sent.append(message)


def direct_call(
    method: Method,
    *,
    metadata: Iterable[Header] = (),
    deadline: float | None = None,
    principal: Principal | None = None,
) -> Call:
    """The `call` argument for a handler called directly; `deadline` is in seconds from now.

    Nothing stands around the handler then: what it raises reaches the test, and no deadline is enforced. It is the call in
    progress from now on, whose metadata and deadline go onward to dependencies. Must be called inside the test's task.
    """
    call = Call(method, "grpc", _Nowhere(()), Metadata(metadata), peer="test", client_timeout=deadline)
    call.request_id = "test"
    call.principal = principal
    if deadline is not None:
        call.deadline = asyncio.get_running_loop().time() + deadline
    current_call.set(call)
    return call
