"""The access log stage: one line a call."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Final

from grpc import StatusCode

from ..call import Call
from ..definition import Method
from ..ending import ending
from ..log_format import Render
from ..loggable import REDACTED
from ..logs import Clock, Deferred
from ..measures import EVENT_CALL
from ..pipeline import Endpoint
from ..snapshot import MethodPolicy
from .environment import Environment

_LOUD: Final = frozenset({StatusCode.INTERNAL, StatusCode.UNKNOWN, StatusCode.DATA_LOSS})
_NOTABLE: Final = frozenset({StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED, StatusCode.RESOURCE_EXHAUSTED})
_NAMES: Final = {logging.INFO: "INFO", logging.WARNING: "WARNING", logging.ERROR: "ERROR"}


class AccessLog:
    """Writes how each call ended, at INFO; at WARNING where the service was at its limits, at ERROR where it is wrong.

    `level` is the lowest level that is written (`logging.INFO` and so on).
    """

    __slots__ = ("_clock", "_level", "_redact", "_render", "_write")

    def __init__(
        self, write: Callable[[Deferred], None], level: int, redact: Collection[str], clock: Clock, render: Render
    ) -> None:
        self._write = write
        self._level = level
        self._redact = frozenset(redact)
        self._clock = clock
        self._render = render

    async def __call__(self, call: Call, proceed: Endpoint) -> None:
        started = time.perf_counter()
        code: StatusCode | None = None  # None for well: hashing a StatusCode costs more than the rest of the line
        reason = ""
        try:
            await proceed(call)
        except BaseException as error:
            code, _, reason = ending(error)
            raise
        finally:
            level = logging.INFO if code is None else _level(code)
            if level >= self._level:
                took = time.perf_counter() - started
                self._write(partial(self._line, _fields(call, level, code, reason, took)))

    def _line(self, fields: dict[str, Any]) -> bytes:
        """The line of `_fields`: made when it is written, as far as that can wait."""
        fields["ts"] = self._clock.shown(fields["ts"])
        fields["duration"] = int(fields["duration"] * 1e6) / 1e6
        if (left := fields["deadline_left"]) is not None:
            fields["deadline_left"] = int(left * 1000) / 1000
        for name in self._redact:
            if name in fields:
                fields[name] = REDACTED
        return self._render(fields)


def for_method(method: Method, policy: MethodPolicy, environment: Environment) -> AccessLog | None:
    """The method's stage; None where nothing would be written."""
    write = environment.write_line
    if write is None or environment.log_level > logging.ERROR:
        return None
    return AccessLog(write, environment.log_level, environment.redact, environment.wall_clock, environment.render)


def _fields(call: Call, level: int, code: StatusCode | None, reason: str, took: float) -> dict[str, Any]:
    deadline = call.deadline
    return {
        "ts": time.time(),
        "level": _NAMES[level],
        "event": EVENT_CALL,
        "trace_id": call.trace_id,
        "span_id": call.span_id,
        "request_id": call.request_id,
        "method": call.method.path,
        "route": call.route,
        "protocol": call.protocol,
        "peer": call.peer,
        "code": "OK" if code is None else code.name,
        "reason": reason,
        "duration": took,
        "deadline_left": None if deadline is None else deadline - call.loop.time(),
    }


def _level(code: StatusCode) -> int:
    return logging.ERROR if code in _LOUD else logging.WARNING if code in _NOTABLE else logging.INFO
