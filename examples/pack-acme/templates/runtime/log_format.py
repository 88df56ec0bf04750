"""Acme's log lines: JSON by the names of the Elastic Common Schema, whatever the spec has as format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from .loggable import json_line

Render = Callable[[Mapping[str, Any]], bytes]
"""Makes the fields of a log line its bytes, newline included."""

_VERSION: Final = "8.11"
_NAMES: Final[Mapping[str, str]] = {
    "ts": "@timestamp",
    "level": "log.level",
    "logger": "log.logger",
    "trace_id": "trace.id",
    "span_id": "span.id",
    "exception": "error.stack_trace",
}


def renderer(log_format: str) -> Render:
    """The renderer of log lines."""
    return ecs_line


def ecs_line(fields: Mapping[str, Any]) -> bytes:
    """The fields as one line of JSON; those that the schema has no name for are below `labels`."""
    line: dict[str, Any] = {_NAMES[name]: value for name, value in fields.items() if name in _NAMES}
    line["message"] = fields.get("message") or fields.get("event", "")
    rest = {name: value for name, value in fields.items() if name not in _NAMES and name not in ("message", "event")}
    return json_line({**line, "ecs.version": _VERSION, "labels": rest})
