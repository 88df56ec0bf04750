"""The pipeline: one stage signature for the four RPC kinds, composed once per method, outermost first."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from .call import Call
from .definition import Kind, Method, ServiceBase

Endpoint = Callable[[Call], Awaitable[None]]
"""Serves one call to its completion; raises ServiceError, or CancelledError when the caller has gone."""

ORDER: tuple[str, ...] = (
    "boundary",
    "context",
    "span",
    "metrics",
    "access_log",
    "drain_gate",
    "fault_injection",
    "load_shedding",
    "authentication",
    "authorization",
    "rate_limit",
    "validation",
    "concurrency_limit",
    "idempotency",
    "fallback",
    "circuit_breaker",
    "health_score",
    "deadline",
    "streaming",
    "error_mapper",
)
"""Every place in the chain, outermost first. A user's stage may stand before or after any of them."""

_ENCODED_AROUND = "drain_gate"  # the outermost stage that is no observer; every method has it


class Stage(Protocol):
    """Wraps a call to its completion: work before, `await proceed(call)`, work after."""

    async def __call__(self, call: Call, proceed: Endpoint) -> None: ...


@dataclass(frozen=True, slots=True)
class UserStage:
    """A stage of the user's own and its place: exactly one of `before` and `after` names a stage of ORDER."""

    name: str
    stage: Stage
    before: str = ""
    after: str = ""
    methods: Collection[str] | None = None  # gRPC paths; None for every method

    def __post_init__(self) -> None:
        anchor = self.before or self.after
        if bool(self.before) == bool(self.after):
            raise ValueError(f"stage {self.name!r} needs either before= or after=")
        if anchor not in ORDER:
            raise ValueError(f"stage {self.name!r} stands next to {anchor!r}, which is none of {', '.join(ORDER)}")
        if self.before == "boundary" or self.after == "error_mapper":
            raise ValueError(f"stage {self.name!r} would stand outside the chain: nothing there maps its errors")


@dataclass(frozen=True, slots=True)
class NamedStage:
    name: str
    stage: Stage


def arrange(built_in: Sequence[NamedStage], own: Sequence[UserStage], method: Method) -> tuple[NamedStage, ...]:
    """The method's chain, outermost first: the built-in stages that are on, the user's in their places.

    Several stages of one place keep the order they were given in.
    """
    on = {stage.name: stage for stage in built_in}
    mine = [stage for stage in own if stage.methods is None or method.path in stage.methods]
    chain: list[NamedStage] = []
    for place in ORDER:
        chain += [NamedStage(stage.name, stage.stage) for stage in mine if stage.before == place]
        if place in on:
            chain.append(on[place])
        chain += [NamedStage(stage.name, stage.stage) for stage in mine if stage.after == place]
    return tuple(chain)


def compose(chain: Sequence[NamedStage], innermost: Endpoint) -> Endpoint:
    """The chain around the innermost endpoint, as one endpoint.

    A unary response becomes bytes inside the stages that measure and log: one that cannot be sent is no success.
    """
    endpoint = innermost
    for named in reversed(chain):
        endpoint = _around(named.stage, endpoint)
        if named.name == _ENCODED_AROUND:
            endpoint = _encoding(endpoint)
    return endpoint


def _encoding(proceed: Endpoint) -> Endpoint:
    async def encode(call: Call) -> None:
        await proceed(call)
        call.encode()

    return encode


def _around(stage: Stage, proceed: Endpoint) -> Endpoint:
    """The stage with its `proceed` given. Asking an object for its `__call__` at every call would cost twice."""
    run = stage if inspect.isfunction(stage) else stage.__call__
    return lambda call: run(call, proceed)


def handler_endpoint(method: Method, handler: ServiceBase) -> Endpoint:
    """The innermost endpoint: gives the handler its request or requests, and the call its response or responses.

    Raises TypeError where the handler's method is not of the RPC's kind: an async generator exactly for
    response streams.
    """
    function = getattr(handler, method.handler)
    wrong = inspect.iscoroutinefunction if method.kind.streams_responses else inspect.isasyncgenfunction
    if wrong(function):
        kind = "an async generator" if method.kind.streams_responses else "a coroutine function"
        raise TypeError(f"{type(handler).__name__}.{method.handler} must be {kind}")

    expected = method.response

    async def unary(call: Call) -> None:
        response = await function(await call.request(), call)
        if type(response) is expected:
            call.response = response
        else:
            await call.respond(response)  # which tells what is wrong with it

    async def client_stream(call: Call) -> None:
        async with aclosing(call.requests()) as requests:
            await call.respond(await function(requests, call))

    async def server_stream(call: Call) -> None:
        async with aclosing(function(await call.request(), call)) as responses:
            async for message in responses:
                await call.respond(message)

    async def bidi(call: Call) -> None:
        async with aclosing(call.requests()) as requests, aclosing(function(requests, call)) as responses:
            async for message in responses:
                await call.respond(message)

    endpoints: dict[Kind, Endpoint] = {
        Kind.UNARY: unary,
        Kind.CLIENT_STREAM: client_stream,
        Kind.SERVER_STREAM: server_stream,
        Kind.BIDI: bidi,
    }
    return endpoints[method.kind]
