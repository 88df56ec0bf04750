"""The error table with everything filled in: codes, statuses, retry advice, placeholders."""

from __future__ import annotations

import re

from generator.errors import Place
from generator.plan.model import ErrorRowPlan, PeerErrorPlan
from generator.spec.codes import canonical_codes
from generator.spec.error_table import CodeRow, ErrorRow
from generator.spec.load import Spec

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]*)\}")
_RETRYABLE = frozenset({"UNAVAILABLE"})


def placeholders(text: str) -> tuple[str, ...]:
    """The names in braces, in order of first appearance; `{{` and `}}` are braces."""
    return tuple(dict.fromkeys(found[1] for found in _PLACEHOLDER.finditer(text) if found[1]))


def resolve_errors(spec: Spec) -> tuple[ErrorRowPlan, ...]:
    """The rows of `errors.table`, then those of `errors.byCode`, in spec order."""
    errors = spec.body.errors
    where = ("spec", "errors")
    rows = [
        _row(reason, row.grpc, row, False, spec.key_place(*where, "table", reason))
        for reason, row in errors.table.items()
    ]
    rows += [
        _row(code, code, row, True, spec.key_place(*where, "byCode", code)) for code, row in errors.by_code.items()
    ]
    return tuple(rows)


def peer_rows(spec: Spec) -> tuple[PeerErrorPlan, ...]:
    """The rows of a dependency's table, in the order of its own spec."""
    return tuple(
        PeerErrorPlan(
            reason=reason,
            code=row.grpc,
            retryable=True if row.retryable is None and row.retry_after is not None else row.retryable,
            breaker=row.breaker,
            text=(text := next(iter(row.message.values()), "")),
            placeholders=placeholders(text),
            place=spec.key_place("spec", "errors", "table", reason),
        )
        for reason, row in spec.body.errors.table.items()
    )


def _row(reason: str, code: str, row: ErrorRow | CodeRow, by_code: bool, place: Place) -> ErrorRowPlan:
    first = next(iter(row.message.values()), "")
    retryable = row.retryable
    if retryable is None:
        retryable = row.retry_after is not None or code in _RETRYABLE
    return ErrorRowPlan(
        reason=reason,
        by_code=by_code,
        code=code,
        http=row.http if row.http is not None else canonical_codes()[code].http,
        business_code=row.code or "",
        retryable=retryable,
        retry_after=row.retry_after,
        messages=dict(row.message),
        placeholders=placeholders(first),
        breaker=row.breaker if isinstance(row, ErrorRow) else None,
        slo=row.slo if isinstance(row, ErrorRow) else None,
        place=place,
    )
