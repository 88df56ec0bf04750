"""The errors that a dependency declares: which exception class its failure is, and what it says of trying again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from ..classification import FAILURES
from ..errors import DependencyError, PeerError

PeerErrors: TypeAlias = Mapping[tuple[str, str], type[DependencyError]]
"""The classes of a dependency's error table by domain and reason, as ErrorInfo has them."""


def by_reason(classes: Iterable[type[PeerError]]) -> PeerErrors:
    """What `class_of` looks in."""
    return {(each.peer_row.domain, each.peer_row.reason): each for each in classes}


def class_of(errors: PeerErrors, domain: str, reason: str) -> type[DependencyError]:
    """The class of a failure with that ErrorInfo; DependencyError for one that the table does not have."""
    return errors.get((domain, reason), DependencyError)


def is_failure(error: DependencyError) -> bool:
    """Whether the dependency has failed: what its own row says for circuit breakers, or else the code."""
    row = error.peer_row
    if row is not None and row.breaker is not None:
        return row.breaker == "failure"
    return error.code_received in FAILURES


def is_retryable(error: DependencyError, codes: frozenset[str]) -> bool:
    """Whether another attempt may go better: what its own row says, or else whether the code is among those."""
    row = error.peer_row
    if row is not None and row.retryable is not None:
        return row.retryable
    return error.code_received.name in codes
