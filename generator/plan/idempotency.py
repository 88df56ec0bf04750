"""Idempotency held against the contract: calls that can be answered again, and a field that can carry a key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from generator.contract.model import Contract, Kind, Rpc
from generator.errors import Finding, Place, did_you_mean
from generator.spec.layers import Layer
from generator.spec.policy import ServerPolicy
from generator.spec.resolve import Resolved

_KEY = "idempotency"


def keeps_answers(rpc: Rpc, layers: Sequence[Layer]) -> bool:
    """Whether a policy that is set concerns the RPC: not one that streams, nor one that changes nothing.

    What is set for the method itself, or by its profile, holds for one without side effects too.
    """
    if rpc.kind is not Kind.UNARY:
        return False
    return rpc.idempotency != "NO_SIDE_EFFECTS" or any(
        layer.level == "method" or layer.level.startswith("profile ") for layer in layers if layer.turns_on(_KEY)
    )


def check_idempotency(
    contract: Contract, rpc: Rpc, resolved: Resolved[ServerPolicy], layers: Sequence[Layer]
) -> Iterator[Finding]:
    """Everything wrong with the idempotency of one RPC; its policy is that of the layers."""
    policy = resolved.policy.idempotency
    if policy is None:
        return
    if rpc.kind is not Kind.UNARY:
        for layer in layers:
            place = layer.turns_on(_KEY)
            if layer.level == "method" and place is not None:
                message = f"{_KEY}: {rpc.full_name} streams, and what a stream has sent cannot be kept for the next one"
                yield Finding(place, "idempotency-of-a-stream", message, "remove it; inherited, it is passed over")
    if policy.field is None or not keeps_answers(rpc, layers):
        return
    request = contract.messages[rpc.request]
    field = request.field(policy.field)
    problem = hint = ""
    if field is None:
        problem = f"{request.full_name}, the request of {rpc.full_name}, has no field '{policy.field}'"
        hint = did_you_mean(policy.field, [field.name for field in request.fields])
    elif field.type != "string" or field.repeated:
        problem = f"{request.full_name}.{policy.field} is no single string"
        hint = "a key is a text, such as a UUID"
    if problem:
        place = next((each.place for each in resolved.settings if each.path == f"{_KEY}.field"), None) or Place("")
        yield Finding(place, "idempotency-field", f"{_KEY}.field: {problem}", hint)
