"""The process: start in time, say so, serve until told to stop, stop in time."""

from __future__ import annotations

import asyncio
import dataclasses
import faulthandler
import logging
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

from . import logs, worker_pipes
from .application import ApplicationError
from .cpus import cpus
from .definition import ApplicationFactory, Definition
from .health import WHOLE_SERVER
from .hurry import Hurry
from .log_format import renderer
from .loggable import json_line
from .logs import LineWriter
from .measures import EVENT_SERVING, EVENT_STOPPED, EVENT_TERMINATING
from .server import Server
from .settings import Settings, SettingsError, read
from .shutdown import shut_down
from .starting import StartError

FORCED = 1
"""The exit code of a process that the watchdog ended."""

_log = logging.getLogger(__name__)


def main(definition: Definition, application: ApplicationFactory) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code.

    0: stopped in good order; 1: could not start, or the application failed; 2: a wrong setting.
    """
    try:
        settings = read(os.environ, definition.policies)
    except SettingsError as error:
        for finding in error.findings:
            print(f"{definition.name}: {finding}", file=sys.stderr)
        return 2
    pipes = worker_pipes.inherited(os.environ)
    if pipes is None:
        count = settings.workers or cpus()
        if count > 1:
            from .workers import become_supervisor  # the one process does without what it needs

            return become_supervisor(definition.name, definition.policies, settings, count)
    else:
        settings = dataclasses.replace(settings, reuse_port=True)
    writer = LineWriter(sys.stderr.fileno())
    observability = definition.policies.observability
    logs.configure(settings.log_level, observability.redact, writer, renderer(observability.log_format))
    return Process(definition, application, settings, writer, pipes).run()


class Process:
    """One serving process, from its signals to its exit."""

    def __init__(
        self,
        definition: Definition,
        application: ApplicationFactory,
        settings: Settings,
        writer: LineWriter,
        pipes: worker_pipes.WorkerPipes | None,
    ) -> None:
        self._definition = definition
        self._application = application
        self._settings = settings
        self._policy = definition.policies.lifecycle
        self._writer = writer
        self._pipes = pipes
        self._watchdog = Watchdog(self._policy.termination_grace_period)
        self._hurry = Hurry()
        self._told = asyncio.Event()
        self._signal: int | None = None
        self._starting: asyncio.Task[Any] | None = None
        self._telling: asyncio.Task[None] | None = None
        self._obeying: asyncio.Task[None] | None = None

    def run(self) -> int:
        """Serve and stop; returns the exit code, or leaves at once where a thread or a task would hold it up."""
        loop = _new_loop()
        previous = {number: signal.signal(number, self._on_signal(loop)) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            code = loop.run_until_complete(self._serve())
            stuck = loop.run_until_complete(_end_tasks(self._policy.cleanup_timeout))
            _log.info(EVENT_STOPPED, extra={"event": EVENT_STOPPED, "exit_code": code})
            self._writer.flush(wait=1.0)
            if stuck:
                os._exit(code)  # a task or a thread that does not end would hold up the interpreter for ever
            loop.close()
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
            self._watchdog.stand_down()
        return code

    async def _serve(self) -> int:
        if self._pipes is not None:
            asyncio.get_running_loop().add_reader(self._pipes.alive, self._orphaned, self._pipes.alive)
        tracing = _tracing(self._settings, self._definition)
        server = Server(
            self._definition,
            self._settings,
            writer=self._writer,
            tracing=tracing,
            with_admin=self._pipes is None,
            on_judged=None if self._pipes is None else self._tell_score,
        )
        code = await self._started(server)
        serving = code == 0 and self._signal is None
        if serving:
            self._announce(server)
            code = await self._until_told()
            self._watchdog.alarm()
            _log.info(EVENT_TERMINATING, extra={"event": EVENT_TERMINATING, "signal": self._signal})
        policy = self._policy
        if self._signal == signal.SIGINT:
            policy = dataclasses.replace(policy, propagation_delay=0.0)
        if not serving:
            self._hurry.set()
        await shut_down(server, policy, hurry=self._hurry)
        return code

    async def _started(self, server: Server) -> int:
        """Start in time; returns the exit code, 0 as well where a signal came first."""
        self._starting = asyncio.current_task()
        try:
            async with asyncio.timeout(self._policy.startup_timeout) as limit:
                await server.start(self._application)
        except asyncio.CancelledError:
            if self._signal is None:
                _log.error("the application failed while it started")
                return 1
            if self._starting is not None:
                self._starting.uncancel()
        except ApplicationError as error:
            for finding in error.findings:
                _log.error("app.py: %s", finding)
            return 1
        except StartError as error:
            _log.error("cannot start: %s", error)
            return 1
        except Exception:  # noqa: BLE001 - whatever the user's application raises
            if limit.expired():
                _log.exception("not started within %.1f s", self._policy.startup_timeout)
            else:
                _log.exception("the application did not start")
            return 1
        finally:
            self._starting = None
        return 0

    async def _until_told(self) -> int:
        try:
            await self._told.wait()
        except asyncio.CancelledError:
            # A task group that the application opened cancels the task that opened it when one of its tasks fails.
            _log.error("the application failed: stopping")
            return 1
        return 0

    def _announce(self, server: Server) -> None:
        ports = {"grpc_port": server.grpc_port, "rest_port": server.rest_port, "admin_port": server.admin_port}
        serving = {"event": EVENT_SERVING, **ports, "pid": os.getpid()}
        if self._pipes is not None:
            ready = server.health.ready
            self._obeying = asyncio.create_task(self._pipes.obey(server.operate))
            self._pipes.tell({**serving, "ready": ready})
            if not ready:
                self._telling = asyncio.create_task(_tell_ready(server, self._pipes))
            return
        announce(serving)

    def _tell_score(self, resilience: Mapping[str, object]) -> None:
        if self._pipes is not None:
            self._pipes.tell({"resilience": resilience})

    def _on_signal(self, loop: asyncio.AbstractEventLoop) -> Callable[[int, FrameType | None], None]:
        def received(number: int, frame: FrameType | None) -> None:
            # Runs between two bytecodes of anything, a handler that blocks the loop included: it only leaves word.
            self._watchdog.alarm()
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._terminate, number)

        return received

    def _terminate(self, number: int) -> None:
        if self._signal is not None:
            self._hurry.set()
            return
        self._signal = number
        self._told.set()
        if self._starting is not None:
            self._starting.cancel()

    def _orphaned(self, alive: int) -> None:
        asyncio.get_running_loop().remove_reader(alive)
        _log.error("the supervisor has gone: stopping")
        self._watchdog.alarm()
        self._terminate(signal.SIGTERM)


class Watchdog:
    """Ends the process when its shutdown takes too long, whatever the event loop does.

    A thread waits for the first alarm, so that a signal handler needs no lock to raise it. `faulthandler` stands
    behind it for the case that the interpreter's own lock is never given up.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._alarmed = False
        self._word: queue.SimpleQueue[bool] = queue.SimpleQueue()  # True to start counting, False to stop
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def alarm(self) -> None:
        """The process is to have ended `grace` seconds from the first alarm."""
        if not self._alarmed:
            self._alarmed = True
            faulthandler.dump_traceback_later(self._grace + 2.0, exit=True, file=sys.stderr.fileno())
            self._word.put(True)

    def stand_down(self) -> None:
        """The process has stopped in good order."""
        faulthandler.cancel_dump_traceback_later()
        self._word.put(False)

    def _watch(self) -> None:
        if not self._word.get():
            return
        try:
            self._word.get(timeout=self._grace)
        except queue.Empty:
            frame = sys._current_frames().get(threading.main_thread().ident or 0)  # noqa: SLF001 - its documented name
            stack = "".join(traceback.format_stack(frame)) if frame is not None else ""
            line = {"level": "CRITICAL", "message": "the termination grace period is over: forced exit", "stack": stack}
            os.write(2, json_line(line))
            os._exit(FORCED)


def announce(serving: Mapping[str, object]) -> None:
    """Say on stdout that everything is up: the one line that scripts wait for."""
    try:
        sys.stdout.buffer.write(json_line(serving))
        sys.stdout.flush()
    except OSError as error:
        _log.warning("nobody reads stdout: %s", error)


async def _tell_ready(server: Server, pipes: worker_pipes.WorkerPipes) -> None:
    """Tell the supervisor once this worker is ready."""
    async for ready in server.health.watch(WHOLE_SERVER):
        if ready:
            pipes.tell({"ready": True})
            return


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


async def _end_tasks(within: float) -> bool:
    """Cancel what still runs, in tasks and in the executor's threads; whether some of it does not end in time."""
    loop = asyncio.get_running_loop()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    pending: set[asyncio.Task[Any]] = set()
    if tasks:
        _, pending = await asyncio.wait(tasks, timeout=within)
    if pending:
        _log.error("%d tasks ignore their cancellation", len(pending))
    await loop.shutdown_asyncgens()
    threads = asyncio.ensure_future(loop.shutdown_default_executor())
    await asyncio.wait((threads,), timeout=within)
    if not threads.done():
        _log.error("threads are still working")
    return bool(pending) or not threads.done()


def _tracing(settings: Settings, definition: Definition) -> Any:
    """The tracer where one is asked for; OpenTelemetry takes long to import."""
    if settings.traces is None and "opentelemetry.sdk.trace" not in sys.modules:
        return None
    from .tracing import configure

    return configure(settings.traces, definition.name, definition.policies.observability.labels)
