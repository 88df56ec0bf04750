"""The end of a connection's last gRPC call, which waits a moment while the server drains.

After GOAWAY, gRPC core closes a connection together with the last of its streams. Where the client has sent anything
meanwhile that the server has not read (a ping, a window update, one more request), TCP answers with a reset, and the
client loses what it had not read yet: the answers that other calls got just before. So the last one goes out alone,
when those are read.
"""

from __future__ import annotations

from ..hurry import Hurry

LINGER = 0.1  # seconds; what a client on a busy machine takes to read, and gRPC core to read what it writes


class LastCalls:
    """How many calls each connection has, by its peer; and once the server drains, the last of them waits."""

    __slots__ = ("_calls", "_hurry", "draining")

    def __init__(self) -> None:
        self.draining = False
        self._calls: dict[str, int] = {}
        self._hurry = Hurry()

    def drain(self, hurry: Hurry) -> None:
        """From now on the last call of a connection waits, unless the shutdown is in a hurry."""
        self.draining = True
        self._hurry = hurry

    def begin(self, peer: str) -> None:
        """A call has come over that connection."""
        self._calls[peer] = self._calls.get(peer, 0) + 1

    def end(self, peer: str) -> None:
        """It has ended, and its answer leaves now."""
        if self._calls[peer] == 1:
            del self._calls[peer]
        else:
            self._calls[peer] -= 1

    async def wait(self, peer: str, left: float | None) -> None:
        """Return at once, unless this is the last call of its connection.

        `left` is how many seconds the caller still waits for its end, None for a caller without a deadline.
        """
        if self._calls[peer] == 1:
            await self._hurry.pause(LINGER if left is None else min(LINGER, left / 2))
