"""What ties a worker process to its supervisor: pipes to say that it serves and when it is alone, and a line for orders."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from .breakers import Operate
from .loggable import json_line

VARIABLE: Final = "HOLDFAST_WORKER"
"""Set for workers only: the numbers of the inherited file descriptors."""


@dataclass(frozen=True, slots=True)
class WorkerPipes:
    """`telling` takes what the worker says of itself; `alive` is never written, it ends with the supervisor.

    `orders` is a socket, over which the supervisor passes on what an operator asks of each worker.
    """

    telling: int
    alive: int
    orders: int

    def tell(self, event: Mapping[str, object]) -> None:
        """Say what this worker does now: `ready` in it, whether calls may be sent to it; `resilience`, its last score."""
        os.set_blocking(self.telling, False)
        with suppress(BrokenPipeError, BlockingIOError):  # the supervisor has gone, or is stuck: `alive` tells, too
            os.write(self.telling, json_line(event))  # whole or not at all, as short as it is

    async def obey(self, operate: Operate) -> None:
        """Do what is asked, and answer, for as long as there is a supervisor."""
        reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=self.orders))
        try:
            while line := await reader.readline():
                order = json.loads(line)
                states = await operate(order["name"], order["action"])
                writer.write(json_line({"number": order["number"], "states": states}))
                await writer.drain()
        except ConnectionError:
            return  # the supervisor has gone
        finally:
            writer.close()

    def variable(self) -> str:
        """The value of VARIABLE."""
        return f"{self.telling},{self.alive},{self.orders}"


def inherited(environ: Mapping[str, str]) -> WorkerPipes | None:
    """The pipes a supervisor left to this process, None where there is none."""
    value = environ.get(VARIABLE)
    if not value:
        return None
    telling, alive, orders = value.split(",")
    return WorkerPipes(int(telling), int(alive), int(orders))


class Orders:
    """The supervisor's end of a worker's `orders`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._asking = asyncio.Lock()
        self._number = 0

    async def ask(self, name: str, action: str, within: float) -> Mapping[str, object] | None:
        """The worker's answer, as `operate` has it. Raises TimeoutError or ConnectionError where there is none in time."""
        async with asyncio.timeout(within), self._asking:
            self._number += 1
            self._writer.write(json_line({"number": self._number, "name": name, "action": action}))
            await self._writer.drain()
            while line := await self._reader.readline():
                answer = json.loads(line)
                if answer["number"] == self._number:  # and not to a question that nobody waits for any more
                    states: Mapping[str, object] | None = answer["states"]
                    return states
        raise ConnectionError("the worker has gone")

    def close(self) -> None:
        """The worker has gone."""
        self._writer.close()
