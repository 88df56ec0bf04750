"""The four levels of criticality: who is refused first when there is not enough for all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

LEVELS: Final = ("CRITICAL_PLUS", "CRITICAL", "SHEDDABLE_PLUS", "SHEDDABLE")
"""The most critical first: the levels of Google's SRE book, chapter 21 (Handling Overload)."""

METADATA: Final = "x-criticality"
"""The metadata in which a caller says how much its call matters."""

RANKS: Final[Mapping[str, int]] = {level: rank for rank, level in enumerate(LEVELS)}
"""Of a level its place among them; the lower, the more critical."""


def less_critical(declared: str, asked: str) -> str:
    """The declared level, or the one that the caller asks for, where that is less critical: never more."""
    return asked if RANKS.get(asked, -1) > RANKS.get(declared, len(LEVELS)) else declared
