"""What is left under a limit, in the terms that callers are told it."""

from __future__ import annotations

from typing import NamedTuple


class Quota(NamedTuple):
    """`remaining` calls could come at once; `wait` seconds from now it is one more."""

    remaining: int
    wait: float
