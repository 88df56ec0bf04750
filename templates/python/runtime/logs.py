"""Logs as JSON lines on stderr: a writer that does not block the loop, and a formatter for the standard logging."""

from __future__ import annotations

import asyncio
import logging
import os
import select
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from google.protobuf.message import Message

from .current import current_call
from .log_format import Render
from .loggable import REDACTED, compact, json_line, represented, shown

_PIPE_BUF: Final = select.PIPE_BUF if hasattr(select, "PIPE_BUF") else 512
_MAX_BACKLOG: Final = 1 << 20  # bytes kept while nobody reads stderr; what comes after is dropped and counted
_GATHER: Final = 0.01  # seconds that a line waits for others: three system calls a call cost a fifth of its time
_ENOUGH: Final = 16 << 10  # bytes that wait no longer: more of them would not stay in the processor's cache
_LINE: Final = 320  # bytes that a line is taken to have before it is made
_RETRY: Final = 0.05  # seconds until stderr is looked at again


Deferred = Callable[[], bytes]
"""A line still to be made. It holds no message and no call: those must be free to go."""


class LineWriter:
    """Writes lines to a file descriptor, those of a hundredth of a second together.

    Without a running event loop a line is written at once. A reader that has stopped reading delays nobody: no write
    is started that would block, lines wait in a bounded backlog, and what does not fit is dropped and counted. Safe
    to use from any thread.
    """

    def __init__(self, fd: int = 2) -> None:
        self._fd = fd
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)
        self._lines: deque[bytes | Deferred] = deque()
        self._size = 0
        self._enough = _ENOUGH  # bytes to be written at once; none while the reader is slow
        self._dropped = 0
        self._lock = threading.RLock()  # a signal handler may log while the same thread is writing
        self._loop: asyncio.AbstractEventLoop | None = None  # where a flush is scheduled

    def write(self, line: bytes) -> None:
        """Take one line, its newline included."""
        self._take(line, len(line))

    def write_later(self, line: Deferred) -> None:
        """Take one line that is made when it is written: making many one after the other costs half as much."""
        self._take(line, _LINE)

    def _take(self, line: bytes | Deferred, size: int) -> None:
        with self._lock:
            if self._size + size > _MAX_BACKLOG:
                self._dropped += 1
            else:
                self._lines.append(line)
                self._size += size
        if self._size >= self._enough:
            self.flush()
        elif self._loop is None or not self._loop.is_running():
            self._schedule_flush()

    def flush(self, wait: float = 0.0) -> bool:
        """Write what waits, giving a slow reader up to `wait` seconds for each piece; whether all of it went out."""
        with self._lock:
            pending = b"".join([line if isinstance(line, bytes) else line() for line in self._lines])
            self._lines.clear()
            if self._dropped and len(pending) < _MAX_BACKLOG // 2:
                pending += json_line({"level": "WARNING", "event": "log_lines_dropped", "count": self._dropped})
                self._dropped = 0
            written = 0
            try:
                while written < len(pending) and self._poll.poll(wait * 1000):
                    # A pipe that is ready takes PIPE_BUF bytes at least: a longer write could block.
                    written += os.write(self._fd, pending[written : written + _PIPE_BUF])
            except OSError:
                written = len(pending)  # stderr is gone, and nobody is left to be told
            if rest := pending[written:]:
                self._lines.appendleft(rest)
            self._size = len(rest)
            self._enough = _MAX_BACKLOG + 1 if rest else _ENOUGH
            return not rest

    def _schedule_flush(self) -> None:
        self._loop = _running_loop()
        if self._loop is None:
            self.flush()
        else:
            self._loop.call_later(_GATHER, self._flush_scheduled, self._loop)

    def _flush_scheduled(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = None  # first: a line that another thread adds now is that thread's to write
        if not self.flush():
            self._loop = loop
            loop.call_later(_RETRY, self._flush_scheduled, loop)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class RecordFormatter(logging.Formatter):
    """Makes a log record one line: its text, its extras, and the ids of the call it belongs to.

    Keys in `redact` never show their value, at any depth; neither do protobuf fields marked `debug_redact`.
    Never raises: a value that JSON cannot carry is shown as its `repr`.
    """

    def __init__(self, redact: Iterable[str] = (), render: Render | None = None) -> None:
        super().__init__()
        self._redact = frozenset(redact)
        self._render = render or json_line

    def format(self, record: logging.LogRecord) -> str:
        return self.line(record).decode().rstrip("\n")

    def line(self, record: logging.LogRecord) -> bytes:
        """The record as one line, newline included."""
        fields: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname,
            "logger": record.name,
            "message": self._message(record),
        }
        call = current_call.get(None)
        if call is not None:
            fields["trace_id"] = call.trace_id
            fields["span_id"] = call.span_id
            fields["request_id"] = call.request_id
            fields["method"] = call.method.path
        for name, value in record.__dict__.items():
            if name not in _STANDARD:
                fields[name] = REDACTED if name in self._redact else shown(value, self._redact)
        if record.exc_info:
            fields["exception"] = _traceback(record.exc_info)
        if record.stack_info:
            fields["stack"] = record.stack_info
        return self._render(fields)

    def _message(self, record: logging.LogRecord) -> str:
        try:
            if isinstance(record.args, tuple):
                arguments: Any = tuple(self._argument(value) for value in record.args)
            else:
                arguments = shown(record.args, self._redact)
            return str(record.msg) % arguments if arguments else self._text(record.msg)
        except Exception as error:  # noqa: BLE001 - a log line with wrong arguments must not end a call
            return f"{represented(record.msg)} (not formatted: {type(error).__name__})"

    def _argument(self, value: object) -> object:
        if isinstance(value, str | int | float | bool | None):
            return value
        if isinstance(value, Message | Mapping | list | tuple):
            return compact(shown(value, self._redact))
        return value

    def _text(self, message: object) -> str:
        return compact(shown(message, self._redact)) if isinstance(message, Message) else str(message)


class LineHandler(logging.Handler):
    """A logging handler over a LineWriter."""

    def __init__(self, writer: LineWriter, formatter: RecordFormatter) -> None:
        super().__init__()
        self._writer = writer
        self._lines = formatter
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        self._writer.write(self._lines.line(record))

    def flush(self) -> None:
        self._writer.flush()


def configure(level: str, redact: Iterable[str], writer: LineWriter, render: Render) -> None:
    """Send everything the standard logging gets to `writer`."""
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
    root.addHandler(LineHandler(writer, RecordFormatter(redact, render)))
    root.setLevel(level)
    logging.captureWarnings(capture=True)


def _traceback(exc_info: Any) -> str:
    try:
        return "".join(traceback.format_exception(*exc_info))
    except Exception as error:  # noqa: BLE001 - a broken __str__ of an exception must not end a call
        return f"{exc_info[0]!r} (no traceback: {type(error).__name__})"


class Clock:
    """Wall-clock times for log lines, formatted once a second."""

    __slots__ = ("_second", "_text")

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def shown(self, at: float) -> str:
        """A time, in seconds since the epoch, as RFC 3339 with milliseconds."""
        second = int(at)
        if second != self._second:
            self._second = second
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._text}.{int((at - second) * 1000):03d}Z"


_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "color_message", "taskName"}
