"""A real redis-server: started, paused, killed and started again by the tests of what depends on it."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 10.0  # seconds until a test gives up


def free_port() -> int:
    """A port of this machine that nobody has."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


class RedisServer:
    """One server on a port of its own, which it keeps over restarts; it holds nothing on disk."""

    def __init__(self, folder: Path, *options: str) -> None:
        program = shutil.which("redis-server")
        assert program is not None, "redis-server is not installed: run `make system`"
        self.port = free_port()
        self._command = [program, "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--dir", str(folder)]
        self._command += options
        self._log = folder / f"redis-{self.port}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start, and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=subprocess.STDOUT)
        until = time.monotonic() + PATIENCE
        while self.ask("PING") != "+PONG":
            assert time.monotonic() < until, self._log.read_text()
            time.sleep(0.01)

    def ask(self, command: str) -> str:
        """The first line of the answer to a command, "" without one."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
                connection.sendall(f"{command}\r\n".encode())
                return connection.recv(1024).decode().partition("\r\n")[0]
        except OSError:
            return ""

    def pause(self) -> None:
        """It accepts connections, and answers nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """It is gone, with everything that it knew."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Return once the condition holds: Redis's clock is its own. Raises AssertionError where it never does."""
    for _ in range(1000):
        if await condition():
            return
        await asyncio.sleep(PATIENCE / 1000)
    raise AssertionError("it never was so")


@contextmanager
def running(folder: Path, *options: str) -> Iterator[RedisServer]:
    """A server that answers, killed at the end; `options` are redis-server's."""
    server = RedisServer(folder, *options)
    try:
        server.start()
        yield server
    finally:
        server.kill()
