"""What keeps a server from starting that its operator can mend: said in one line, without a traceback."""

from __future__ import annotations

import importlib.util


class StartError(Exception):
    """A server that cannot start; the message tells what to do about it."""


def require(module: str, package: str, wanted_by: str) -> None:
    """See that an optional module is there. Raises StartError, which names the package to install."""
    if importlib.util.find_spec(module) is None:
        raise StartError(
            f"{wanted_by} needs the package {package}, which is not installed: add it to the dependencies in "
            f"pyproject.toml, or run pip install '{package}'"
        )
