"""The Jinja environment of the templates: strict, unescaped, with filters that make untrusted text safe."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from generator import resources
from generator.render import layout, python


def _cell(text: str) -> str:
    """Text for a Markdown table's cell: one line, no markup and no column of its own."""
    shown = python.comment(text)
    for mark in "\\`*_[]<>|":
        shown = shown.replace(mark, f"\\{mark}" if mark != "<" else "&lt;")
    return shown


@cache
def environment(folder: Path | None = None) -> Environment:
    """The environment over the template folders; `folder` is the one that holds `managed/`, `seeded/`, …"""
    made = Environment(
        loader=FileSystemLoader(folder or resources.root() / "templates" / "python"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Python and Markdown come out, not HTML; the filters below escape
    )
    made.filters.update(literal=python.literal, laid_out=layout.laid_out, comment=python.comment, cell=_cell)
    return made
