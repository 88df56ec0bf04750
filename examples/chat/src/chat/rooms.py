"""Rooms in memory: who listens, what was said lately, and how it reaches the listeners."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from .gen import errors
from .gen.pb.chat.v1.chat_pb2 import Message

SEATS = 8
REMEMBERED = 100  # messages
BEHIND = 1000  # messages that a listener has yet to take


class Listener:
    """One listener's messages, bounded: who does not take them in time is sent away, and holds nobody up."""

    def __init__(self, room: str, lately: Iterator[Message]) -> None:
        self._room = room
        self._waiting = deque(lately)
        self._arrived = asyncio.Event()
        self._over = False

    def tell(self, message: Message) -> None:
        """Add a message; one too many, and the listener has fallen behind."""
        if len(self._waiting) <= BEHIND:
            self._waiting.append(message)
        self._arrived.set()

    def leave(self) -> None:
        """Nothing comes after what is waiting."""
        self._over = True
        self._arrived.set()

    def __aiter__(self) -> Listener:
        return self

    async def __anext__(self) -> Message:
        """The next message. Raises FellBehind for a listener that took too long."""
        while not self._waiting:
            if self._over:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        if len(self._waiting) > BEHIND:
            raise errors.FellBehind(room=self._room)
        return self._waiting.popleft()


class Room:
    """One room. People who are muted may listen."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.muted = {"troll"}
        self._listeners: set[Listener] = set()
        self._lately: deque[Message] = deque(maxlen=REMEMBERED)

    def say(self, message: Message) -> Message:
        """Stamp a message and tell everybody. Raises Muted."""
        if message.author in self.muted:
            raise errors.Muted(author=message.author, room=self.name)
        said = Message(room=self.name, author=message.author, text=message.text)
        said.time.GetCurrentTime()
        self.remember(said)
        for listener in self._listeners:
            listener.tell(said)
        return said

    def remember(self, message: Message) -> None:
        """Keep a message, for those who come later."""
        self._lately.append(message)

    @contextmanager
    def listener(self) -> Iterator[Listener]:
        """A seat, for as long as the block lasts: first what was said lately, then what is. Raises RoomFull."""
        if len(self._listeners) >= SEATS:
            raise errors.RoomFull(room=self.name)
        listener = Listener(self.name, iter(self._lately))
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.remove(listener)
