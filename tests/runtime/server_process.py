"""A service as a real process: started, watched and stopped by the tests of signals and workers."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx

from tests.runtime.sample_service import ECHO, Note

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0  # seconds until a test gives up; nothing takes this long


class ServerProcess:
    """A process of such a module, its stdout read line by line, its stderr kept in a file."""

    def __init__(self, stderr: Path, module: str, lifecycle: dict[str, float], environ: dict[str, str]) -> None:
        self._stderr = stderr
        ports = {"GRPC_PORT": "0", "REST_PORT": "0", "ADMIN_PORT": "0", "HOST": "127.0.0.1"}
        path = os.pathsep.join([str(ROOT), str(ROOT / "templates/python")])
        with stderr.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "error", "-m", module],
                env={**os.environ, **ports, "PYTHONPATH": path, "SAMPLE_LIFECYCLE": json.dumps(lifecycle), **environ},
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                cwd=ROOT,
            )
        self.serving: dict[str, int] = {}

    def line(self) -> str:
        """The next line of stdout, "" after the last."""
        assert self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        assert readable, f"no line within {PATIENCE} s\n{self._stderr.read_text()}"
        # One byte at a time: a buffered reader would hide the next line from `select`.
        line = bytearray()
        while (byte := os.read(self.process.stdout.fileno(), 1)) not in (b"", b"\n"):
            line += byte
        return line.decode()

    def serve(self) -> ServerProcess:
        """Wait for the serving line."""
        line = self.line()
        assert line, f"it did not start:\n{self._stderr.read_text()}"
        self.serving = json.loads(line)
        return self

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def exit_code(self) -> int:
        """Wait for the end."""
        return self.process.wait(PATIENCE)

    def text(self) -> str:
        """All of stderr."""
        return self._stderr.read_text()

    def logs(self) -> list[dict[str, Any]]:
        """Every line of stderr."""
        return [json.loads(line) for line in self._stderr.read_text().splitlines()]

    def messages(self) -> list[str]:
        return [line.get("message", "") for line in self.logs()]

    def admin(self, path: str, verb: str = "GET") -> httpx.Response:
        return httpx.request(verb, f"http://127.0.0.1:{self.serving['admin_port']}{path}")

    @contextmanager
    def echo(self) -> Iterator[Any]:
        """The Echo RPC over a connection of its own."""
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(f"127.0.0.1:{self.serving['grpc_port']}", options) as channel:
            yield channel.unary_unary(
                ECHO.path, request_serializer=Note.SerializeToString, response_deserializer=Note.FromString
            )


@contextmanager
def started(
    folder: Path,
    lifecycle: dict[str, float] | None = None,
    module: str = "tests.runtime.sample_process",
    **environ: str,
) -> Iterator[ServerProcess]:
    """A process that is killed at the end, should it still run."""
    process = ServerProcess(folder / "stderr", module, lifecycle or {}, environ)
    try:
        yield process
    finally:
        if process.process.poll() is None:
            process.process.send_signal(signal.SIGKILL)
        process.process.wait()
        assert process.process.stdout is not None
        process.process.stdout.close()
