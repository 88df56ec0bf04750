"""black over the emitted Python, skipped where that would change nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from generator.render.layout import LINE_LENGTH, resplit


def laid_out(content: bytes) -> bytes | None:
    """The output of a built-in template as black would have it, where that can be told without black; None otherwise.

    All of them come out in black's layout, but for lines that are too long.
    """
    source = resplit(content.decode())
    return None if source is None else source.encode()


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
