"""What a call hands on to the calls it makes: the time that it has left, and its metadata."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from ..call import Header, checked_header
from ..current import current_call
from ..policies.criticality import METADATA as CRITICALITY

OWN: Final = frozenset({"x-request-id", "traceparent", "tracestate", CRITICALITY})
"""The names that are always handed on, as the context stage has read or made them."""


def timeout_onward(*bounds: float | None) -> float | None:
    """Seconds that an outgoing call may take; None without any bound, 0 or less where no time is left.

    The least of `bounds` and of what the current call has left without its reserve.
    """
    call = current_call.get(None)
    left = None if call is None else call.time_remaining()
    if call is not None and left is not None:
        left -= call.reserve
    for bound in bounds:
        if bound is not None and (left is None or bound < left):
            left = bound
    return left


def metadata_onward(propagate: Collection[str], given: Iterable[Header]) -> tuple[Header, ...]:
    """The metadata of an outgoing call: request id, criticality, trace context, the names in `propagate`, and what is `given`.

    A name that is given is not taken from the current call. What gRPC cannot carry of an incoming value is left out.
    Raises ValueError where a given name or value is none that metadata can have.
    """
    added = [checked_header(name, value) for name, value in given]
    call = current_call.get(None)
    if call is None:
        return tuple(added)
    onward: list[Header] = []
    if call.request_id:
        onward.append(("x-request-id", call.request_id))
    if call.criticality:
        onward.append((CRITICALITY, call.criticality))
    if call.trace_id and call.span_id:
        onward.append(("traceparent", f"00-{call.trace_id}-{call.span_id}-{call.trace_flags:02x}"))
        if call.trace_state:
            onward.append(("tracestate", call.trace_state))
    if propagate:
        onward += [pair for pair in call.metadata if pair[0] in propagate and pair[0] not in OWN and _carried(pair)]
    if added:
        names = {name for name, _ in added}
        onward = [pair for pair in onward if pair[0] not in names]
    return (*onward, *added)


def _carried(pair: Header) -> bool:
    """Whether gRPC takes the value; HTTP/1.1 lets more through than it does."""
    value = pair[1]
    return isinstance(value, bytes) or (value.isascii() and value.isprintable())
