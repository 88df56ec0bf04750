"""Handlers of chat.v1.ChatService: yours to fill in; new RPCs are added at the end of the class."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from ..gen.clients import Clients
from ..gen.pb.chat.v1.chat_pb2 import FollowRequest, ImportSummary, Message, PostRequest
from ..gen.services.chat_service import ChatServiceBase
from ..rooms import Listener, Room
from ..runtime.call import Call


class ChatService(ChatServiceBase):
    """Rooms that people talk in."""

    def __init__(self, clients: Clients) -> None:
        super().__init__(clients)
        self._rooms: dict[str, Room] = {}

    async def post(self, request: PostRequest, call: Call) -> Message:
        """Posts one message (unary)."""
        return self._room(request.room).say(request.message)

    async def follow(self, request: FollowRequest, call: Call) -> AsyncIterator[Message]:
        """Follows a room as people talk (server streaming)."""
        with self._room(request.room).listener() as listener:
            await call.send_headers()  # the seat is taken: what is said from now on is heard
            async for message in listener:
                yield message

    async def import_(self, requests: AsyncIterator[Message], call: Call) -> ImportSummary:
        """Imports an archive, message by message (client streaming)."""
        summary = ImportSummary()
        async for message in requests:
            self._room(message.room).remember(message)
            summary.imported += 1
        return summary

    async def talk(self, requests: AsyncIterator[Message], call: Call) -> AsyncIterator[Message]:
        """Talks and listens at once (bidirectional): in the room of the first message, until the caller falls silent."""
        first = await anext(aiter(requests), None)
        if first is None:
            return
        room = self._room(first.room)
        with room.listener() as listener:
            talking = asyncio.ensure_future(_talk(room, first, requests, listener))
            try:
                async for message in listener:
                    yield message
                await talking  # raises what ended it
            finally:
                talking.cancel()
                await asyncio.wait({talking})

    def _room(self, name: str) -> Room:
        return self._rooms.setdefault(name, Room(name))


async def _talk(room: Room, first: Message, rest: AsyncIterator[Message], listener: Listener) -> None:
    try:
        room.say(first)
        async for message in rest:
            room.say(message)
    finally:
        listener.leave()
