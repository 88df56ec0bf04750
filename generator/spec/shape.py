"""Which requests over HTTP are the same operation."""

from __future__ import annotations

import re

_VARIABLE = re.compile(r"\{[^}]*\}")


def shape(operation: str) -> str:
    """The operation, or its path, without the names of its variables: two of one shape are the same requests."""
    return _VARIABLE.sub("{}", operation)
