"""Calls a service knowing its contract only: messages come from the committed descriptors, not from emitted code."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from google.protobuf import json_format, struct_pb2, wrappers_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc import aio

PATIENCE = 20  # seconds
Json = Mapping[str, Any]


class Stub:
    """The RPCs of a project's contract over one gRPC channel; messages are dicts in proto JSON's form."""

    def __init__(self, project: Path, channel: aio.Channel) -> None:
        self._pool: Any = DescriptorPool()
        for file in FileDescriptorSet.FromString((project / ".holdfast" / "contract.binpb").read_bytes()).file:
            self._pool.Add(file)
        for known in (struct_pb2, wrappers_pb2):  # what an Any may hold
            self._pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
        self._channel = channel

    async def call(self, path: str, request: Json) -> dict[str, Any]:
        """A unary call. Raises AioRpcError."""
        encode, decode = self._codec(path)
        return self._dict(await self._channel.unary_unary(path, None, decode)(encode(request), timeout=PATIENCE))

    async def listen(self, path: str, request: Json) -> AsyncIterator[dict[str, Any]]:
        """The messages of a server-streaming call."""
        encode, decode = self._codec(path)
        async for message in self._channel.unary_stream(path, None, decode)(encode(request), timeout=PATIENCE):
            yield self._dict(message)

    async def gather(self, path: str, requests: Iterable[Json]) -> dict[str, Any]:
        """A client-streaming call."""
        encode, decode = self._codec(path)
        messages = [encode(request) for request in requests]
        return self._dict(await self._channel.stream_unary(path, None, decode)(iter(messages), timeout=PATIENCE))

    def talk(self, path: str) -> Conversation:
        """A bidirectional call."""
        encode, decode = self._codec(path)
        call = self._channel.stream_stream(path, None, decode)(timeout=PATIENCE)
        return Conversation(call, encode, self._dict)

    def _codec(self, path: str) -> tuple[Callable[[Json], bytes], Callable[[bytes], Message]]:
        method = self._pool.FindMethodByName(path.strip("/").replace("/", "."))
        request, response = GetMessageClass(method.input_type), GetMessageClass(method.output_type)

        def encode(message: Json) -> bytes:
            return json_format.ParseDict(message, request(), descriptor_pool=self._pool).SerializeToString()

        return encode, response.FromString

    def _dict(self, message: Message) -> dict[str, Any]:
        return json_format.MessageToDict(message, descriptor_pool=self._pool)


class Conversation:
    """A bidirectional call: say something, hear something."""

    def __init__(
        self, call: Any, encode: Callable[[Json], bytes], as_dict: Callable[[Message], dict[str, Any]]
    ) -> None:
        self._call = call
        self._encode = encode
        self._dict = as_dict

    async def say(self, message: Json) -> None:
        await self._call.write(self._encode(message))

    async def hear(self) -> dict[str, Any] | None:
        """The next message, None after the last one. Raises AioRpcError."""
        message = await self._call.read()
        return None if message is aio.EOF else self._dict(message)

    async def end(self) -> None:
        """Say that nothing more comes."""
        await self._call.done_writing()
