"""Server processes: started on a core of their own, asked for their CPU time and memory, stopped."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarks.load.closed_loop import Round

ROOT = Path(__file__).resolve().parent.parent
_START_SECONDS = 30.0
_STOP_SECONDS = 10.0


class CannotRunError(Exception):
    """A benchmark that could not be run, and why."""


def pinned(core: int, command: Sequence[str]) -> list[str]:
    """The command, held to that core where `taskset` is there and the machine has two."""
    cores = os.cpu_count() or 1
    if shutil.which("taskset") is None or cores < 2:
        return list(command)
    return ["taskset", "--cpu-list", str(core % cores), *command]


SERVER_CORE = 0
LOAD_CORE = 1


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with `own` on top; bytecode is written, as on any machine that runs a service."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, **own}


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class Peer:
    """Something that serves: its name in the report, and its command, with PORT where its port goes."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]


class Server:
    """A running peer. What it writes to stderr, its access log too, goes to a file without a name."""

    def __init__(self, peer: Peer, port: int, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
        self.peer = peer
        self.port = port
        self._process = process
        self._log = log

    def cpu_seconds(self) -> float | None:
        """The CPU time it and its children have taken so far, None where the system does not tell."""
        own = Path(f"/proc/{self._process.pid}")
        try:
            children = (own / "task" / own.name / "children").read_text().split()
            return sum(_cpu_seconds(process) for process in (own, *map(own.with_name, children)))
        except OSError:
            return None

    def resident_mib(self) -> float | None:
        """Its resident memory, None where the system does not tell."""
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) / 1024
        return None

    def check(self) -> None:
        """Raises CannotRunError where it has ended."""
        if self._process.poll() is not None:
            self._log.seek(0)
            said = self._log.read().decode(errors="replace").strip().rpartition("\n")[2]
            raise CannotRunError(f"{self.peer.name} ended with exit code {self._process.returncode}: {said}")

    def stop(self) -> None:
        """End it; by force where it does not end soon."""
        self._process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.3)
        self._process.send_signal(signal.SIGTERM)  # an emitted service skips its waits at the second
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


def _cpu_seconds(process: Path) -> float:
    """Of a process by its folder in /proc. Raises OSError."""
    fields = (process / "stat").read_text().rpartition(")")[2].split()  # from the third on (proc_pid_stat(5))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start(peer: Peer) -> Server:
    """Start a peer; returns at once."""
    port = free_port()
    command = [part.replace("PORT", str(port)) for part in peer.command]
    own = {name: value.replace("PORT", str(port)) for name, value in peer.environment.items()}
    log = tempfile.TemporaryFile()  # noqa: SIM115 - the server's `stop` closes it
    process = subprocess.Popen(
        pinned(SERVER_CORE, command),
        cwd=ROOT,
        env=environment(own),
        stdout=subprocess.DEVNULL,
        stderr=log,
    )
    return Server(peer, port, process, log)


def wait_until_listening(server: Server) -> None:
    """Return when the server takes connections. Raises CannotRunError where it ends instead, or takes too long."""
    until = time.perf_counter() + _START_SECONDS
    while time.perf_counter() < until:
        try:
            socket.create_connection(("127.0.0.1", server.port), timeout=1.0).close()
        except OSError:
            server.check()
            time.sleep(0.001)
        else:
            return
    raise CannotRunError(f"{server.peer.name} did not listen within {_START_SECONDS:g} s")


@contextlib.contextmanager
def serving(peers: Sequence[Peer]) -> Iterator[list[Server]]:
    """All the peers, listening."""
    servers: list[Server] = []
    try:
        for peer in peers:
            servers.append(start(peer))
            wait_until_listening(servers[-1])
        yield servers
    finally:
        for server in servers:
            server.stop()


def load(module: str, server: Server, connections: int, in_flight: int, seconds: float) -> Round:
    """One round of load by a process of its own. Raises CannotRunError where calls fail."""
    command = [sys.executable, "-m", f"benchmarks.load.{module}", str(server.port)]
    command += [f"--connections={connections}", f"--in-flight={in_flight}", f"--seconds={seconds}"]
    done = subprocess.run(pinned(LOAD_CORE, command), cwd=ROOT, check=False, stdout=subprocess.PIPE)
    server.check()
    if done.returncode != 0:
        raise CannotRunError(f"the load on {server.peer.name} ended with exit code {done.returncode}")
    found = Round(**json.loads(done.stdout))
    if found.failures or not found.calls:
        raise CannotRunError(f"{server.peer.name} failed {found.failures} of {found.every_call} calls")
    return found


def output(project: Path, *arguments: str) -> str:
    """What Python prints with the emitted project on its path. Raises CannotRunError where it fails."""
    own = environment({"PYTHONPATH": f"{ROOT}:{project / 'src'}"})
    command = pinned(LOAD_CORE, [sys.executable, *arguments])
    done = subprocess.run(command, cwd=ROOT, env=own, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise CannotRunError(done.stderr.strip().rpartition("\n")[2])
    return done.stdout
