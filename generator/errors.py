"""What can be wrong with a user's input, as values that carry their place."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

# Control, bidirectional and line-separator characters from an untrusted file must not drive a terminal.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def printable(text: str) -> str:
    """`text` on one line, with every control or bidirectional character shown as an escape."""
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where in the user's input something stands; lines and columns count from 1, 0 means unknown."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        parts = [printable(self.file)]
        if self.line:
            parts.append(str(self.line))
            if self.column:
                parts.append(str(self.column))
        return ":".join(parts)


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing wrong with the input: where, which rule (`id`, kebab-case), what, and how to mend it."""

    place: Place
    id: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        hint = f"; {printable(self.hint)}" if self.hint else ""
        return f"{self.place}: {self.id}: {printable(self.message)}{hint}"


class HoldfastError(Exception):
    """Base of everything the command line reports without a traceback."""


class InputError(HoldfastError):
    """The user's input is wrong: every finding of one stage at once, never only the first."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings: tuple[Finding, ...] = tuple(findings)
        if not self.findings:
            raise ValueError("an InputError needs at least one finding")
        super().__init__("\n".join(map(str, self.findings)))

    @classmethod
    def one(cls, place: Place, id: str, message: str, hint: str = "") -> InputError:
        """An error of a single finding."""
        return cls([Finding(place, id, message, hint)])


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like `word`, whatever its case and separators; None when none is."""
    folded = {re.sub("[^a-z0-9]", "", candidate.lower()): candidate for candidate in candidates}
    close = difflib.get_close_matches(re.sub("[^a-z0-9]", "", word.lower()), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """A hint that names the nearest candidate, or all of them when they are few."""
    known = list(candidates)
    found = nearest(word, known)
    if found:
        return f"did you mean '{found}'?"
    return f"valid here: {', '.join(known)}" if 0 < len(known) <= 16 else ""
