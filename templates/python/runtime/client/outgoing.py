"""One call to a dependency as the stages of its chain see it: all its attempts, whatever the protocol."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from grpc import StatusCode

from ..call import Header
from ..errors import DependencyError


class Outgoing:
    """A call that goes out, and what comes back.

    `given` is the request or the request stream. A single response is left in `response`; those of a stream go through
    `deliver`, one at a time, which waits until the last one was taken.
    """

    __slots__ = (
        "attempt",
        "attempt_until",
        "deliver",
        "delivered",
        "given",
        "metadata",
        "path",
        "response",
        "until",
        "within",
    )

    def __init__(self, path: str, given: Any, metadata: tuple[Header, ...], within: float | None) -> None:
        self.path = path
        self.given = given
        self.metadata = metadata
        self.within = within  # seconds that its caller allows it
        self.until: float | None = None  # when the time for the call is up, by the clock; None for never
        self.attempt_until: float | None = None  # the same of the current attempt
        self.attempt = 1
        self.response: Any = None
        self.deliver: Callable[[Any], Awaitable[None]] | None = None
        self.delivered = 0  # messages of a response stream

    def fork(self, attempt: int) -> Outgoing:
        """The same call for an attempt that runs beside others."""
        fork = Outgoing(self.path, self.given, self.metadata, self.within)
        fork.until = fork.attempt_until = self.until
        fork.attempt = attempt
        return fork


def out_of_time(dependency: str, outgoing: Outgoing, now: float) -> DependencyError:
    """What an attempt fails with that has no time left to go out: that of the call, or only its own."""
    expired = outgoing.until is not None and now >= outgoing.until
    return DependencyError(
        dependency,
        StatusCode.DEADLINE_EXCEEDED,
        "its time was up before it went out",
        method=outgoing.path,
        expired=expired,
        attempt_expired=not expired,
        broken=not expired,
        final=expired,
    )


Endpoint = Callable[[Outgoing], Awaitable[None]]
"""Makes a call, or an attempt at it; raises DependencyError, or CancelledError where nobody waits for it any more."""


class ClientStage(Protocol):
    """Wraps a call to its completion, or an attempt: work before, `await proceed(outgoing)`, work after.

    One with no work after gives back what `proceed` gives: a coroutine less on the way.
    """

    def __call__(self, outgoing: Outgoing, proceed: Endpoint, /) -> Awaitable[None]: ...
