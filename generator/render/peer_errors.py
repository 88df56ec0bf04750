"""The error tables of dependencies as Python classes: what `gen/clients/<dependency>_errors.py` holds."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from generator.plan.model import DependencyPlan, PeerErrorPlan
from generator.render import naming
from generator.render.python import Expression, docstring

_TAKEN = frozenset({"DOMAIN", "ERRORS", "PeerError", "PeerRow", "annotations", "property", "str"})
ATTRIBUTES = frozenset(
    {
        "add_note",
        "args",
        "asks_again",
        "attempt_expired",
        "broken",
        "code",
        "code_received",
        "dependency",
        "details",
        "domain_received",
        "expired",
        "final",
        "http",
        "http_received",
        "is_for",
        "message",
        "message_received",
        "metadata",
        "metadata_received",
        "method",
        "peer_row",
        "pushback",
        "reason",
        "reason_received",
        "rejected_by",
        "retry_after",
        "row",
        "self",
        "value",
        "with_traceback",
    }
)
"""What an error of the runtime's has already: a placeholder of such a name gets another."""


@dataclass(frozen=True, slots=True)
class PeerValueView:
    """A placeholder of a row's text, which the class has as a property."""

    name: str  # as the peer calls it
    attribute: str


@dataclass(frozen=True, slots=True)
class PeerErrorView:
    """One row of a dependency's table, with its class."""

    reason: str
    class_name: str
    docstring: str
    retryable: bool | None
    breaker: str | None
    values: tuple[PeerValueView, ...]


@dataclass(frozen=True, slots=True)
class PeerErrorsView:
    """The errors of one dependency: their module below `gen/clients`, and what stands in it."""

    dependency: str
    module: str
    source: str  # the file that has its table, as the spec names it
    domain: str
    module_docstring: str
    rows: tuple[PeerErrorView, ...]
    classes: tuple[Expression, ...]  # the rows' class names


def view(dependency: DependencyPlan, module: str) -> PeerErrorsView:
    """The errors of a dependency whose table is known."""
    taken = set(_TAKEN)
    rows = []
    for row in dependency.errors:
        class_name = naming.identifier(naming.pascal(row.reason), taken)
        taken.add(class_name)
        rows.append(_row(row, class_name))
    return PeerErrorsView(
        dependency=dependency.name,
        module=module,
        source=dependency.declared.errors or "",
        domain=dependency.domain,
        module_docstring=docstring(f"What calls to {dependency.name} fail with, by its error table."),
        rows=tuple(rows),
        classes=tuple(Expression(row.class_name) for row in rows),
    )


def _row(row: PeerErrorPlan, class_name: str) -> PeerErrorView:
    attributes = naming.unique(row.placeholders, ATTRIBUTES)
    return PeerErrorView(
        reason=row.reason,
        class_name=class_name,
        docstring=docstring(f"{row.reason}: gRPC {row.code}." + (f"\n\n{row.text}" if row.text else ""), 4),
        retryable=row.retryable,
        breaker=row.breaker,
        values=tuple(PeerValueView(name, attribute) for name, attribute in attributes.items()),
    )


def module_name(attribute: str, taken: Collection[str]) -> str:
    """The module of a client's errors, beside those of all clients."""
    return naming.identifier(f"{attribute}_errors", taken)
