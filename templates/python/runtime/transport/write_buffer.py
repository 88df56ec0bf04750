"""The messages of a response stream that wait in a connection's write buffer: no more than the stream may hold."""

from __future__ import annotations

import asyncio


class WriteBuffer:
    """What one stream has written and the socket has not taken yet.

    It is full with `most` messages, and once asyncio says so, with 64 KiB; None for bytes alone.
    """

    __slots__ = ("_messages", "_most", "_transport", "_writable")

    def __init__(self, transport: asyncio.Transport, writable: asyncio.Event, most: int | None) -> None:
        """`writable` is clear while asyncio wants nothing more to be written, and set when the connection is lost."""
        self._transport = transport
        self._writable = writable
        self._most = most
        self._messages = 0  # written since it was last empty

    async def room(self) -> None:
        """Call after each message: returns when there is room for one more."""
        await self._writable.wait()
        if self._most is None:
            return
        if not self._transport.get_write_buffer_size():
            self._messages = 0
            return
        self._messages += 1
        if self._messages >= self._most:
            self._transport.set_write_buffer_limits(high=0)  # writable when it is empty
            try:
                await self._writable.wait()
            finally:
                self._transport.set_write_buffer_limits()
            self._messages = 0
