"""The names of a project and of its package: how one follows from the other, and what they may be."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Iterator

from generator.errors import Finding, Place

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")  # PEP 508
_PACKAGE = re.compile(r"[a-z_][a-z0-9_]*")
_LONGEST = 100

DEPENDENCIES = frozenset(
    {
        "aiohttp",
        "google",
        "grpc",
        "grpc_health",
        "grpc_reflection",
        "grpc_status",
        "httptools",
        "httpx",
        "mypy",
        "opentelemetry",
        "orjson",
        "prometheus_client",
        "pytest",
        "pytest_asyncio",
        "redis",
        "uvloop",
        "yaml",
    }
)
"""What the emitted project imports: a package of that name would hide it."""

_OWN_FOLDERS = frozenset({"contract", "docs", "handlers", "runtime", "src", "test", "tests"})


def package_of(name: str) -> str:
    """The package that a project of that name gets: in snake case."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return re.sub(r"[^A-Za-z0-9]+", "_", words).strip("_").lower()


def name_findings(name: str, place: Place) -> Iterator[Finding]:
    """What is wrong with a project's name."""
    if len(name) > _LONGEST or not _NAME.fullmatch(name):
        hint = "use ASCII letters, digits, `.`, `_` and `-`, starting and ending with a letter or digit; see --name"
        yield Finding(place, "project-name", f'"{name}" cannot be the name of a Python distribution', hint)


def package_findings(package: str, place: Place) -> Iterator[Finding]:
    """What is wrong with a package's name."""
    if len(package) > _LONGEST or not _PACKAGE.fullmatch(package):
        hint = "use lower-case ASCII letters, digits and `_`, not starting with a digit; see --package"
        yield Finding(place, "package-name", f'"{package}" cannot be the name of a Python package', hint)
    elif keyword.iskeyword(package) or keyword.issoftkeyword(package):
        yield Finding(place, "package-name", f'"{package}" is a Python keyword', "choose another with --package")
    elif package in sys.stdlib_module_names or package in DEPENDENCIES or package in _OWN_FOLDERS:
        hint = "choose another with --package"
        yield Finding(place, "package-name", f'a package "{package}" would hide a module that the service needs', hint)
