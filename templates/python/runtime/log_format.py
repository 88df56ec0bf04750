"""The formats of a log line: how its fields become bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from .loggable import compact, json_line

Render = Callable[[Mapping[str, Any]], bytes]
"""Makes the fields of a log line its bytes, newline included: `json_line` or `text_line`."""


def renderer(log_format: str) -> Render:
    """The renderer of `observability.logs.format`: "json" or "text"."""
    return text_line if log_format == "text" else json_line


def text_line(fields: Mapping[str, Any]) -> bytes:
    """The fields as a line for people: time, level and text first, a traceback on lines of its own at the end."""
    rest = dict(fields)
    ts, level = rest.pop("ts", ""), rest.pop("level", "")
    when = ts.isoformat(timespec="milliseconds") if isinstance(ts, datetime) else str(ts)
    head = _one_line(str(rest.pop("message", "") or rest.pop("event", "")))
    tail = "".join(f"\n{rest.pop(name)}".rstrip() for name in ("exception", "stack") if name in rest)
    pairs = "".join(f" {name}={_word(value)}" for name, value in rest.items() if value not in (None, ""))
    return f"{when} {level:<8}{head}{pairs}{tail}\n".encode(errors="backslashreplace")


def _word(value: object) -> str:
    text = value if isinstance(value, str) else compact(value)
    return text if text.isprintable() and not any(letter in text for letter in ' "=') else compact(text)


def _one_line(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
