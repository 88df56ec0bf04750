"""black over the emitted Python, skipped where the same text was formatted before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from generator.render.layout import LINE_LENGTH, overlong

LAID_OUT = frozenset(
    {
        "appended/src/{package}/handlers/{service}.py.j2",
        "managed/src/{package}/gen/bindings/__init__.py.j2",
        "managed/src/{package}/gen/bindings/{service}.py.j2",
        "managed/src/{package}/gen/codecs/__init__.py.j2",
        "managed/src/{package}/gen/codecs/{folder}/__init__.py.j2",
        "managed/src/{package}/gen/codecs/{module}.py.j2",
        "managed/src/{package}/gen/policies.py.j2",
        "managed/src/{package}/gen/routes.py.j2",
        "managed/src/{package}/gen/services/__init__.py.j2",
        "managed/src/{package}/gen/services/{service}.py.j2",
        "seeded/src/{package}/app.py.j2",
        "seeded/tests/test_{service}.py.j2",
    }
)
"""The templates whose output is as black would leave it: those that a contract's size multiplies."""


def is_laid_out(template: str, content: bytes) -> bool:
    """Whether black would leave the template's output as it is."""
    return template in LAID_OUT and not overlong(content.decode())


class Formatter(Protocol):
    def __call__(self, source: str) -> str: ...


def python(source: str) -> str:
    """`source` as black lays it out at 120 columns.

    Raises ValueError where the source is no Python: a bug of a template.
    """
    # Imported here: 80 ms that a run which changes nothing need not spend.
    from black import format_file_contents
    from black.mode import Mode, TargetVersion
    from black.parsing import InvalidInput
    from black.report import NothingChanged

    mode = Mode(line_length=LINE_LENGTH, target_versions={TargetVersion.PY311})
    try:
        return format_file_contents(source, fast=True, mode=mode)
    except NothingChanged:
        return source
    except InvalidInput as error:
        raise ValueError(f"a template renders no Python: {error}") from error


BY_SUFFIX: Mapping[str, Formatter] = {".py": python}
