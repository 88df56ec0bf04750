"""What is left under a limit, in the terms that callers are told it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quota:
    """`remaining` calls could come at once; `wait` seconds from now it is one more."""

    remaining: int
    wait: float
