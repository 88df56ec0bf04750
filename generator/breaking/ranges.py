"""Ranges of numbers, both ends included, and what is missing from them."""

from __future__ import annotations

from collections.abc import Sequence

Range = tuple[int, int]


def missing(span: Range, ranges: Sequence[Range]) -> list[Range]:
    """The parts of `span` that none of `ranges` covers, in order."""
    start, end = span
    gaps = []
    for first, last in sorted(ranges):
        if last < start:
            continue
        if first > end:
            break
        if first > start:
            gaps.append((start, first - 1))
        start = last + 1
        if start > end:
            break
    if start <= end:
        gaps.append((start, end))
    return gaps


def text(span: Range, last: int) -> str:
    """A range as one would write it; `last` is the highest number there is."""
    start, end = span
    return str(start) if start == end else f"{start} to {'max' if end == last else end}"
