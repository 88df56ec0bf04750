"""What the spec can say that has no code behind it yet: refused, never parsed and ignored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from generator.document import Mapping, Node, Path, Plain, Sequence, dotted, plain
from generator.errors import Finding
from generator.spec.load import Spec

_HINT = "remove it, so that nobody relies on a protection that is not there"


@dataclass(frozen=True, slots=True)
class NotYet:
    """A key without code behind it; `*` in its path is any one name or index. `off` says the same as its absence."""

    path: str
    off: tuple[Plain, ...] = ()


# Whoever builds a feature deletes its row.
NOT_YET: tuple[NotYet, ...] = (
    NotYet("spec.observability.traces.alwaysOn", off=([],)),
    NotYet("spec.slos", off=([],)),
    NotYet("spec.registry", off=({}, {"kind": "none"})),
)


def check_support(spec: Spec) -> list[Finding]:
    """A finding for each key that is there, is not turned off, and has no code behind it yet."""
    findings = []
    for row in NOT_YET:
        for path, node in _matching(spec.root, tuple(row.path.split("."))):
            value = plain(node)
            # Whether a disabled section lists more than its switch does not matter.
            disabled = isinstance(value, dict) and value.get("enabled") is False
            if not disabled and value not in row.off:
                message = f"{dotted(path)} is not supported yet"
                findings.append(Finding(spec.key_place(*path), "not-supported-yet", message, _HINT))
    return sorted(findings)


def _matching(node: Node, pattern: tuple[str, ...], path: Path = ()) -> Iterator[tuple[Path, Node]]:
    if not pattern:
        yield path, node
    elif isinstance(node, Mapping):
        for key, entry in node.entries.items():
            if pattern[0] in ("*", key):
                yield from _matching(entry.node, pattern[1:], (*path, key))
    elif isinstance(node, Sequence) and pattern[0] == "*":
        for index, item in enumerate(node.items):
            yield from _matching(item, pattern[1:], (*path, index))
