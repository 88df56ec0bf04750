"""The idempotency key stage: one key for all attempts at a call, so that the dependency can tell them from another call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from google.protobuf.message import Message

from .environment import Dependency, Target
from .outgoing import Endpoint, Outgoing


class IdempotencyKey:
    """Mints a key where the call brings none; in the metadata, and in the request where the policy names a field."""

    __slots__ = ("_field", "_header", "_random_bits")

    def __init__(self, header: str, field: str | None, random_bits: Callable[[int], int]) -> None:
        self._header = header.lower()
        self._field = field
        self._random_bits = random_bits

    def __call__(self, outgoing: Outgoing, proceed: Endpoint) -> Awaitable[None]:
        given = None
        for name, value in outgoing.metadata:
            if name == self._header:
                given = value
                break
        key = given if isinstance(given, str) else self._of_request(outgoing.given) or f"{self._random_bits(128):032x}"
        if given is None:
            outgoing.metadata = (*outgoing.metadata, (self._header, key))
        if self._field is not None and isinstance(outgoing.given, Message):
            outgoing.given = _with(outgoing.given, self._field, key)
        return proceed(outgoing)

    def _of_request(self, request: Any) -> str:
        """The key that the request brings, "" for none."""
        if self._field is None or not isinstance(request, Message):
            return ""
        key: str = getattr(request, self._field)
        return key if key.isascii() and key.isprintable() else ""


def _with(request: Message, field: str, key: str) -> Message:
    """A copy of the request with the key in it: the caller's is not ours to change."""
    if getattr(request, field):
        return request
    copy = type(request)()
    copy.CopyFrom(request)
    setattr(copy, field, key)
    return copy


def for_target(target: Target, dependency: Dependency) -> IdempotencyKey | None:
    """The RPC's stage; None where its policy is off."""
    policy = target.policy.idempotency
    if policy is None:
        return None
    return IdempotencyKey(policy.header, policy.field, dependency.outbound.random.getrandbits)
