"""What the benchmarks found, as a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bar:
    """A limit to be held: a least ratio, or a most of whatever the row measures."""

    limit: float
    text: str  # as it is printed
    at_least: bool = True

    def holds(self, value: float) -> bool:
        """Whether `value` is on the right side."""
        return value >= self.limit if self.at_least else value <= self.limit


def ratio_of_at_least(limit: float) -> Bar:
    """The bar of a ratio that must not be lower."""
    return Bar(limit, f"≥ {limit:.2f}×")


def at_most(limit: float, unit: str) -> Bar:
    """The bar of a figure that must not be higher."""
    return Bar(limit, f"≤ {limit:g} {unit}", at_least=False)


@dataclass(frozen=True, slots=True)
class Row:
    """One line: what was measured and, where there is someone to compare with, whom against.

    `ratio` is one of rates or of times, `by_cpu` the same one of CPU times. `judged` is the number that the bar is about;
    None where there is no bar, or nothing to judge it by.
    """

    what: str
    figure: str
    against: str = ""
    against_figure: str = ""
    ratio: float | None = None
    bar: Bar | None = None
    judged: float | None = None
    by_cpu: float | None = None

    @property
    def verdict(self) -> str:
        """ "pass", "FAIL", or nothing where there is no bar."""
        if self.bar is None or self.judged is None:
            return ""
        return "pass" if self.bar.holds(self.judged) else "FAIL"

    @property
    def cells(self) -> tuple[str, ...]:
        """The line's columns."""
        ratio, by_cpu = ("" if value is None else f"{value:.2f}×" for value in (self.ratio, self.by_cpu))
        bar = "" if self.bar is None else self.bar.text
        return self.what, self.figure, self.against, self.against_figure, ratio, by_cpu, bar, self.verdict


@dataclass(frozen=True, slots=True)
class Section:
    """One benchmark's rows under its title; `notes` say how they were measured."""

    title: str
    rows: Sequence[Row]
    notes: Sequence[str] = ()


_HEADER = ("measured", "", "against", "", "ratio", "by CPU", "bar", "")


def table(section: Section) -> str:
    """The section as text, its columns aligned."""
    lines = [_HEADER, *(row.cells for row in section.rows)]
    used = [column for column in range(len(_HEADER)) if any(line[column] for line in lines[1:])]
    widths = {column: max(len(line[column]) for line in lines) for column in used}
    shown = ["  ".join(line[column].ljust(widths[column]) for column in used).rstrip() for line in lines]
    shown.insert(1, "-" * max(map(len, shown)))
    notes = [f"  {note}" for note in section.notes]
    return "\n".join([section.title, *notes, "", *(f"  {line}" for line in shown)]) + "\n"


def per_second(rate: float, cpu: float | None) -> str:
    """A rate of calls, with the CPU time (seconds) that one takes."""
    return f"{rate:,.0f}/s" + ("" if cpu is None else f" ({cpu * 1e6:.0f} µs CPU)")
