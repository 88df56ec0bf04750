"""The Accept headers' lists: what a caller takes, and how much it wants it (RFC 9110, section 12.4)."""

from __future__ import annotations

from collections.abc import Iterator

_MOST = 64  # items that are looked at


def weights(header: str) -> Iterator[tuple[str, float]]:
    """The header's items, in lower case and without their parameters, with their weights: 0 is a refusal."""
    for item in header.split(",", _MOST)[:_MOST]:
        value, *parameters = (part.strip().lower() for part in item.split(";"))
        yield value, _weight(parameters)


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0
