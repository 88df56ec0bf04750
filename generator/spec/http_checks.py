"""What must hold in a dependency that is called over HTTP: its address, its operations, and keys that HTTP has a use for."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from generator.document import Path
from generator.spec.dependencies import Dependency
from generator.spec.shape import shape

_Found = tuple[Path, str, str, str]


def check_http(path: Path, dependency: Dependency) -> Iterator[_Found]:
    """Everything wrong with the dependency at `path` that is about HTTP."""
    problem = _problem(dependency.target)
    if problem and dependency.target:
        hint = "for example https://fx.internal, or https://fx.internal/v2"
        yield (*path, "target"), "wrong-value", f"'{dependency.target}' {problem}", hint
    yield from _operations(path, dependency)
    for where, block in (((), dependency), *(((("methods", name), each)) for name, each in dependency.methods.items())):
        if block.idempotency is not None and block.idempotency.field is not None:
            hint = "the key goes in the header"
            yield (*path, *where, "idempotency", "field"), "useless-key", "has no effect with protocol: http", hint


def _problem(target: str) -> str:
    """What keeps the target from being the base of URLs, "" where nothing does."""
    try:
        parts = urlsplit(target)
        port = parts.port
    except ValueError as error:
        return f"is no URL: {error}"
    if parts.scheme not in ("http", "https"):
        return "does not start with http:// or https://"
    if not parts.hostname or port == 0 or not target.isascii() or not target.isprintable() or " " in target:
        return "is no URL"
    if parts.username is not None or parts.password is not None:
        return "has credentials, which do not belong in a spec"
    return "has a query or a fragment, which no base of URLs has" if "?" in target or "#" in target else ""


def _operations(path: Path, dependency: Dependency) -> Iterator[_Found]:
    first: dict[str, str] = {}
    for name in dependency.methods:
        if " " not in name:
            hint = f"for example GET /{name.lower()}/{{id}}"
            yield (*path, "methods", name), "unknown-method", f"'{name}' is no method and path of HTTP", hint
            continue
        segments = name.partition(" ")[2].split("/")
        if not {".", ".."}.isdisjoint(segments):
            yield (*path, "methods", name), "wrong-value", "a segment '.' or '..' is never sent", "write the path out"
        known = first.setdefault(shape(name), name)
        if known != name:
            yield (*path, "methods", name), "duplicate-key", f"the same requests as '{known}'", "remove one of them"
