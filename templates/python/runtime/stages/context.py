"""The context stage: request id, W3C trace context, criticality and the effective deadline of a call."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from ..call import Call
from ..current import current_call
from ..definition import Method
from ..metadata import is_request_id
from ..pipeline import Endpoint
from ..policies.criticality import METADATA as CRITICALITY
from ..policies.criticality import less_critical
from ..snapshot import MethodPolicy
from .environment import Environment

_TRACEPARENT: Final = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
_KNOWN_FLAGS: Final = 0x03  # sampled, random (W3C Trace Context level 2)
_STATE_MEMBER: Final = re.compile(
    r"(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})"
    r"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
_MAX_STATE_MEMBERS: Final = 32
_MAX_STATE: Final = 512


class Context:
    """Fills in who calls, as part of which trace, and until when.

    The deadline is `min(client's, max)`, and `default` where the client set none; without a policy, the client's. The
    criticality is the method's, or the caller's where that is less: who calls for the sake of something that may be
    refused says so, and nobody makes more of a call than the method is worth. `random_bits` gives that many
    random bits (`random.getrandbits`): ids need to be unlike each other, not unguessable. `traced` leaves `span_id`
    empty where the trace begins here: the span stage fills it in.
    """

    __slots__ = ("_criticality", "_default", "_max", "_random_bits", "_reserve", "_traced")

    def __init__(self, policy: MethodPolicy, random_bits: Callable[[int], int], *, traced: bool = False) -> None:
        self._default = None if policy.deadline is None else policy.deadline.default
        self._max = float("inf") if policy.deadline is None else policy.deadline.max
        self._reserve = 0.0 if policy.deadline is None else policy.deadline.reserve
        self._criticality = policy.criticality
        self._random_bits = random_bits
        self._traced = traced

    async def __call__(self, call: Call, proceed: Endpoint) -> None:
        request_id = criticality = ""
        parents: list[str] = []
        states: list[str] = []
        for name, value in call.metadata:
            if name == "x-request-id":
                if not request_id and isinstance(value, str) and is_request_id(value):
                    request_id = value
            elif name == CRITICALITY:
                criticality = str(value)
            elif name == "traceparent":
                parents.append(str(value))
            elif name == "tracestate":
                states.append(str(value))
        ids = self._random_bits(320).to_bytes(40).hex()  # one number for all: three cost three times as much
        call.request_id = request_id or ids[:32]
        answer_with_id(call, asked=bool(request_id))
        if not (parents and join_trace(call, parents, states)):
            call.trace_id = ids[32:64]
            if not self._traced:
                call.span_id = ids[64:]
        call.deadline = self._deadline(call)
        call.reserve = self._reserve
        call.criticality = less_critical(self._criticality, criticality) if criticality else self._criticality
        current_call.set(call)
        await proceed(call)

    def _deadline(self, call: Call) -> float | None:
        timeout = self._default if call.client_timeout is None else call.client_timeout
        return None if timeout is None else call.started + min(timeout, self._max)


def for_method(method: Method, policy: MethodPolicy, environment: Environment) -> Context:
    """The method's stage; every method has one."""
    return Context(policy, environment.random.getrandbits, traced=environment.tracing is not None)


def answer_with_id(call: Call, *, asked: bool) -> None:
    """Have the answer say the request id; over gRPC, where it costs more, only to who sent one: errors always say it."""
    if call.protocol == "rest":
        call.headers.append(("x-request-id", call.request_id))
    elif asked:
        call.trailers.append(("x-request-id", call.request_id))


def join_trace(call: Call, parents: list[str], states: list[str]) -> bool:
    """Take over the caller's trace; False where `traceparent` is invalid or there are several, as W3C has it.

    Source: https://www.w3.org/TR/trace-context/ , sections 3.2 and 4: a version above 00 is read as 00, whatever
    follows it; `ff` is no version; an invalid `tracestate` is dropped and the parent kept.
    """
    match = _TRACEPARENT.fullmatch(parents[0]) if len(parents) == 1 else None
    if match is None or (match[1] == "00" and match[5] is not None):
        return False
    call.trace_id = match[2]
    call.span_id = match[3]
    call.trace_flags = int(match[4], 16) & _KNOWN_FLAGS
    if states:
        call.trace_state = trace_state(states)
    return True


def trace_state(values: list[str]) -> str:
    """The members of the `tracestate` headers as one value of at most 512 characters; "" where they are invalid."""
    members = [member for value in values for part in value.split(",") if (member := part.strip(" \t"))]
    keys = {member.partition("=")[0] for member in members}
    if len(members) > _MAX_STATE_MEMBERS or len(keys) < len(members):
        return ""
    if not all(_STATE_MEMBER.fullmatch(member) for member in members):
        return ""
    while len(",".join(members)) > _MAX_STATE:  # section 3.3.1.5: entries over 128 characters go first, then the last
        long = [member for member in members if len(member) > 128]
        members.remove(long[-1] if long else members[-1])
    return ",".join(members)
