"""Calls without a transport: what the tests of stages run their chains on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf.message import Message
from runtime.call import Call, Header
from runtime.definition import Method
from runtime.metadata import Metadata

from tests.runtime.sample_service import ECHO, Note


class MemoryWire:
    """A wire in memory: the messages to receive, and what has been sent."""

    def __init__(self, messages: Iterable[Message] = ()) -> None:
        self._messages = iter(messages)
        self.sent: list[Message] = []
        self.headers: list[Header] = []

    async def receive(self) -> Message | None:
        return next(self._messages, None)

    async def send_headers(self, headers: Sequence[Header]) -> None:
        self.headers = list(headers)

    async def send(self, message: Message) -> None:
        self.sent.append(message)


def call_of(method: Method = ECHO, metadata: Sequence[tuple[str, str | bytes]] = (), **arguments: Any) -> Call:
    """A call served by the running task."""
    arguments.setdefault("protocol", "grpc")
    return Call(method, wire=MemoryWire([Note(text="a")]), metadata=Metadata(metadata), **arguments)
