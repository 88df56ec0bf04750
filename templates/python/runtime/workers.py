"""Several worker processes on one set of ports, and the supervisor that keeps them: it imports no gRPC.

The supervisor reserves the ports, spawns the workers afresh (a gRPC server does not survive a fork), serves the admin
port with metrics that add up, passes signals on, and replaces a worker that has died.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from . import logs
from .admin import Admin, AdminServer, config_of, listen
from .health import Report
from .log_format import renderer
from .loggable import json_line
from .logs import LineWriter
from .measures import EVENT_SERVING, EVENT_STOPPED, EVENT_TERMINATING, WORKER_RESTARTS, WORKERS_SERVING
from .settings import Settings
from .snapshot import Snapshot
from .worker_pipes import VARIABLE, Orders, WorkerPipes

_LASTING: Final = 10.0  # seconds that a worker serves before its death counts as a new story
_MAX_DEATHS: Final = 5  # of one worker in a row, none of them lasting
_FIRST_BACKOFF: Final = 0.1  # seconds; doubles with each death in a row
_MAX_BACKOFF: Final = 30.0
_ANSWER_SECONDS: Final = 2.0  # to an operator's order
_PLAN: Final = "plan.json"

_log = logging.getLogger(f"{__package__}.workers")  # of a module that is run, `__name__` says nothing


@dataclass(frozen=True, slots=True)
class Plan:
    """What the supervisor needs to know, handed over in a file: it does not import the service."""

    name: str
    command: list[str]  # a worker's
    count: int
    host: str
    grpc_port: int
    rest_port: int
    admin_host: str
    admin_port: int
    log_level: str
    log_format: str
    metrics: bool
    config: str  # what /config shows
    startup_timeout: float  # seconds
    termination_grace_period: float  # seconds


def become_supervisor(name: str, policies: Snapshot, settings: Settings, count: int) -> NoReturn:
    """Turn this process into the supervisor of `count` workers; its process id stays."""
    plan = Plan(
        name=name,
        command=[sys.executable, *sys.orig_argv[1:]],
        count=count,
        host=settings.host,
        grpc_port=settings.grpc_port,
        rest_port=settings.rest_port,
        admin_host=settings.admin_host,
        admin_port=settings.admin_port,
        log_level=settings.log_level,
        log_format=policies.observability.log_format,
        metrics=policies.observability.metrics,
        config=config_of(name, policies).decode(),
        startup_timeout=policies.lifecycle.startup_timeout,
        termination_grace_period=policies.lifecycle.termination_grace_period,
    )
    folder = Path(tempfile.mkdtemp(prefix="workers-"))
    (folder / _PLAN).write_bytes(json_line(dataclasses.asdict(plan)))
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", __spec__.name, str(folder)])  # noqa: S606 - our own interpreter


@dataclass(slots=True)
class Worker:
    """One place among the workers, and the process that fills it now."""

    number: int
    process: asyncio.subprocess.Process | None = None
    serving: bool = False
    ready: bool = False
    restarts: int = 0
    orders: Orders | None = None
    resilience: Mapping[str, Any] | None = None  # its last score, as `/healthz` shows it

    def detail(self) -> dict[str, object]:
        """What `/healthz` shows of it."""
        pid = self.process.pid if self.process is not None else None
        return {"worker": self.number, "pid": pid, "serving": self.serving, "restarts": self.restarts}

    def told(self, line: bytes) -> None:
        """Take in what the worker says of itself."""
        said = json.loads(line)
        self.ready = said.get("ready", self.ready)
        self.resilience = said.get("resilience", self.resilience)

    async def listen(self, lines: asyncio.StreamReader) -> None:
        """Take in what it says until its end."""
        while line := await lines.readline():
            self.told(line)


@dataclass(slots=True)
class Supervisor:
    """Starts the workers, keeps them, and stops them; `folder` holds their metrics."""

    plan: Plan
    folder: Path
    workers: list[Worker] = field(default_factory=list)
    phase: str = "starting"
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _failed: bool = False
    _all_serving: asyncio.Event = field(default_factory=asyncio.Event)
    _environ: dict[str, str] = field(default_factory=dict)
    _alive: tuple[int, int] = (-1, -1)

    async def run(self) -> int:
        """Serve until told to stop; returns the exit code: 0 where every worker has stopped in good order."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop, number)
        self._alive = os.pipe()
        metrics = self.folder / "metrics"
        metrics.mkdir()
        with contextlib.ExitStack() as reserved:
            try:
                grpc_port = _reserve(reserved, self.plan.host, self.plan.grpc_port)
                rest_port = _reserve(reserved, self.plan.host, self.plan.rest_port)
                admin = AdminServer(self._admin(metrics), self.plan.admin_host, self.plan.admin_port)
                admin_port = await admin.start()
            except OSError as error:
                _log.error("cannot start: %s", error.strerror or error)
                return 1
            self._environ = {
                "GRPC_PORT": str(grpc_port),
                "REST_PORT": str(rest_port),
                "WORKERS": "1",
            } | ({"PROMETHEUS_MULTIPROC_DIR": str(metrics)} if self.plan.metrics else {})
            self.workers = [Worker(number) for number in range(self.plan.count)]
            keepers = [asyncio.ensure_future(self._keep(worker)) for worker in self.workers]
            announcing = asyncio.ensure_future(self._announce(grpc_port, rest_port, admin_port))
            codes = await asyncio.gather(*keepers)
            announcing.cancel()
            await admin.stop()
        code = 1 if self._failed or any(codes) else 0
        _log.info(EVENT_STOPPED, extra={"event": EVENT_STOPPED, "exit_code": code})
        return code

    def stop(self, number: int) -> None:
        """Pass the signal on to every worker; a second one makes them hurry."""
        if not self._stopping.is_set():
            _log.info(EVENT_TERMINATING, extra={"event": EVENT_TERMINATING, "signal": number})
        self.phase = "terminating"
        self._stopping.set()
        for worker in self.workers:
            if worker.process is not None and worker.process.returncode is None:
                worker.process.send_signal(number)

    def report(self) -> Report:
        """Ready while at least one worker is; the services' own health is the workers'."""
        return Report(self.phase, self.phase == "serving" and any(worker.ready for worker in self.workers), {})

    async def _announce(self, grpc_port: int, rest_port: int, admin_port: int) -> None:
        await self._all_serving.wait()
        self.phase = "serving"
        ports = {"grpc_port": grpc_port, "rest_port": rest_port, "admin_port": admin_port}
        with contextlib.suppress(OSError):  # nobody reads stdout
            os.write(1, json_line({"event": EVENT_SERVING, **ports, "pid": os.getpid()}))

    async def _keep(self, worker: Worker) -> int:
        """Fill one place until the end; returns the exit code of its last process."""
        loop = asyncio.get_running_loop()
        deaths = 0
        while True:
            began = loop.time()
            code = await self._one_life(worker)
            if self._stopping.is_set():
                return code
            deaths = 1 if loop.time() - began > _LASTING else deaths + 1
            _log.error("worker %d died with exit code %d", worker.number, code, extra=worker.detail())
            if self.phase == "starting" or deaths > _MAX_DEATHS:
                _log.error("giving up")
                self._failed = True
                self.stop(signal.SIGTERM)
                return code
            worker.restarts += 1
            backoff = min(_MAX_BACKOFF, _FIRST_BACKOFF * 2.0 ** (deaths - 1))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), backoff)
                return 0

    async def _one_life(self, worker: Worker) -> int:
        """Spawn the worker's process and see it end; returns its exit code, negative for a signal's number."""
        heard, telling = os.pipe()
        orders, orders_of = socket.socketpair()
        pipes = WorkerPipes(telling, self._alive[0], orders_of.fileno())
        process = await asyncio.create_subprocess_exec(
            *self.plan.command,
            env={**os.environ, **self._environ, VARIABLE: pipes.variable()},
            pass_fds=(pipes.telling, pipes.alive, pipes.orders),
            process_group=0,  # a terminal's Ctrl-C reaches the supervisor alone, which passes it on once
        )
        worker.process = process
        os.close(telling)
        orders_of.close()
        worker.orders = Orders(*await asyncio.open_connection(sock=orders))
        if self._stopping.is_set():  # told while it was being spawned
            process.terminate()
        async with _lines(heard) as lines:
            waiting = asyncio.ensure_future(lines.readline())
            ended = asyncio.ensure_future(process.wait())
            await asyncio.wait((waiting, ended), return_when=asyncio.FIRST_COMPLETED)
            worker.serving = waiting.done() and bool(waiting.result())
            waiting.cancel()
            if worker.serving:
                worker.told(waiting.result())
            if all(one.serving for one in self.workers):
                self._all_serving.set()
            listening = asyncio.ensure_future(worker.listen(lines))
            code = await self._end_of(process, ended)
            listening.cancel()
        worker.serving = worker.ready = False
        worker.resilience = None
        worker.orders.close()
        worker.orders = None
        mark_process_dead(process.pid, str(self.folder / "metrics"))  # type: ignore[no-untyped-call]  # as shipped
        return code

    async def _end_of(self, process: asyncio.subprocess.Process, ended: asyncio.Future[int]) -> int:
        """Wait for the process; once it was told to stop, no longer than it may take."""
        stopping = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait((ended, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not ended.done():
            # The worker's own watchdog ends it at the grace period; this is for a worker that cannot even do that.
            await asyncio.wait((ended,), timeout=self.plan.termination_grace_period + 3.0)
            if not ended.done():
                _log.error("a worker outlived its grace period: killed", extra={"pid": process.pid})
                process.kill()
        return await ended

    def _admin(self, metrics: Path) -> Admin:
        exposition = self._exposition(metrics) if self.plan.metrics else None
        return Admin(self.report, self.plan.config.encode(), exposition, self._detail, self._operate)

    async def _operate(self, name: str, action: str) -> Mapping[str, object] | None:
        """Pass it on to every worker: each has breakers of its own. None where no worker has a breaker of that name."""
        answers = await asyncio.gather(*(_asked(worker, name, action) for worker in self.workers))
        if name and not any("breakers" in answer for answer in answers):
            return None
        return {"workers": answers}

    def _detail(self) -> dict[str, object]:
        """The workers, and where they judge themselves the worst of their scores: as the metrics have it."""
        workers = [worker.detail() for worker in self.workers]
        judged = [(worker.number, worker.resilience) for worker in self.workers if worker.resilience is not None]
        if not judged:
            return {"workers": workers}
        number, worst = min(judged, key=lambda each: each[1]["score"])
        return {"workers": workers, "resilience": {"worker": number, **worst}}

    def _exposition(self, metrics: Path) -> Callable[[], tuple[str, bytes]]:
        def exposition() -> tuple[str, bytes]:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, path=str(metrics))  # type: ignore[no-untyped-call]  # as shipped
            serving = Gauge(WORKERS_SERVING, "Worker processes that serve.", registry=registry)
            serving.set(sum(worker.serving for worker in self.workers))
            restarts = Counter(WORKER_RESTARTS, "Worker processes started again.", registry=registry)
            restarts.inc(sum(worker.restarts for worker in self.workers))
            return CONTENT_TYPE_LATEST, generate_latest(registry)

        return exposition


async def _asked(worker: Worker, name: str, action: str) -> dict[str, object]:
    """What the worker answers; only its number where it has no such breaker, or gives no answer."""
    states = None
    if worker.orders is not None and worker.serving:
        with contextlib.suppress(TimeoutError, ConnectionError):
            states = await worker.orders.ask(name, action, _ANSWER_SECONDS)
    return {"worker": worker.number, **(states or {})}


def _reserve(reserved: contextlib.ExitStack, host: str, port: int) -> int:
    """Hold a port that the workers share, without listening: no connection is ever given to this process."""
    holder = reserved.enter_context(listen(host, port, reuse_port=True))
    number: int = holder.getsockname()[1]
    return number


@contextlib.asynccontextmanager
async def _lines(fd: int) -> AsyncIterator[asyncio.StreamReader]:
    """The lines that come out of a pipe."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(fd, "rb", buffering=0)
    )
    try:
        yield reader
    finally:
        transport.close()


def supervise(folder: Path) -> int:
    """Be the supervisor of the plan in `folder`; returns the exit code."""
    writer = LineWriter(2)
    try:
        values: dict[str, Any] = json.loads((folder / _PLAN).read_bytes())
        plan = Plan(**values)
        logs.configure(plan.log_level, (), writer, renderer(plan.log_format))
        return asyncio.run(Supervisor(plan, folder).run())
    finally:
        writer.flush(wait=1.0)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(supervise(Path(sys.argv[1])))
