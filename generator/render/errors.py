"""The error table as Python classes and as a page: what `gen/errors.py` and `docs/errors.md` hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from generator.plan.model import ErrorRowPlan, Plan
from generator.render import naming
from generator.render.layout import signature
from generator.render.python import Expression, docstring

_TAKEN = frozenset(
    {
        "DOMAIN",
        "ERRORS",
        "ErrorRow",
        "ErrorTable",
        "Message",
        "Sequence",
        "ServiceError",
        "StatusCode",
        "TableError",
        "annotations",
        "has_reason",
        "unimplemented",
    }
)
_INIT, _DETAILS = ("self", "*"), "details: Sequence[Message] = ()"
_PARAMETERS_TAKEN = frozenset({"self", "details", "super"})


@dataclass(frozen=True, slots=True)
class ErrorView:
    """One row of the table, with its class and predicate."""

    reason: str
    by_code: bool
    class_name: str
    predicate: str
    docstring: str
    code: str
    http: int
    business_code: str
    retryable: bool
    retry_after: float | None
    retry: str  # for people: "no", "yes", "after 1s"
    messages: Mapping[str, str]
    placeholders: tuple[str, ...]
    parameters: tuple[str, ...]  # of the class, one per placeholder
    signature: str  # of the class's __init__, as a `def` statement
    pairs: tuple[tuple[str, str], ...]  # placeholder and parameter
    breaker: str | None
    slo: str | None


def views(plan: Plan) -> tuple[ErrorView, ...]:
    """One view per row, in spec order; classes that would share a name are numbered."""
    taken = set(_TAKEN)
    result = []
    for row in plan.errors:
        class_name = naming.identifier(naming.pascal(row.reason), taken)
        taken.add(class_name)
        predicate = naming.identifier(f"is_{naming.snake(class_name)}", taken)
        taken.add(predicate)
        result.append(_view(row, class_name, predicate))
    return tuple(result)


def _view(row: ErrorRowPlan, class_name: str, predicate: str) -> ErrorView:
    parameters = naming.unique(row.placeholders, _PARAMETERS_TAKEN)
    retry = f"after {row.retry_after:g}s" if row.retry_after is not None else "yes" if row.retryable else "no"
    facts = [f"gRPC {row.code}", f"HTTP {row.http}"]
    if row.business_code:
        facts.append(f"code {row.business_code}")
    facts.append({"no": "not retryable", "yes": "retryable"}.get(retry, f"retryable {retry}"))
    text = next(iter(row.messages.values()), "")
    return ErrorView(
        reason=row.reason,
        by_code=row.by_code,
        class_name=class_name,
        predicate=predicate,
        docstring=docstring(f"{row.reason}: {', '.join(facts)}." + (f"\n\n{text}" if text else ""), 4),
        code=row.code,
        http=row.http,
        business_code=row.business_code,
        retryable=row.retryable,
        retry_after=row.retry_after,
        retry=retry,
        messages=row.messages,
        placeholders=row.placeholders,
        parameters=tuple(parameters.values()),
        signature=signature(
            "def __init__", [*_INIT, *(f"{name}: object" for name in parameters.values()), _DETAILS], " -> None:", 4
        ),
        pairs=tuple(parameters.items()),
        breaker=row.breaker,
        slo=row.slo,
    )


def tables(rows: Sequence[ErrorView]) -> tuple[Mapping[str, Expression], Mapping[str, Expression]]:
    """The rows by reason, and those of bare codes by code, as the expressions that stand for them in the module."""
    by_reason, by_code = (
        {row.reason: Expression(f"{row.class_name}.row") for row in rows if row.by_code is bare}
        for bare in (False, True)
    )
    return by_reason, by_code
