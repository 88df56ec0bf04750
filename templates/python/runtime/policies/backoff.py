"""How long to wait before the next attempt: exponential backoff with jitter."""

from __future__ import annotations

from random import Random

from ..snapshot import RetryPolicy


def backoff(policy: RetryPolicy, attempts: int, random: Random) -> float:
    """Seconds to wait after that many attempts in a row have failed without saying when to come back.

    `full` jitter waits anything up to the exponential, `equal` half of it for certain, `none` all of it. Full jitter
    has clients that failed together come back apart.
    Source: gRPC proposal A6, https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    try:
        longest = min(policy.max_backoff, policy.initial_backoff * policy.backoff_multiplier ** (attempts - 1))
    except OverflowError:
        longest = policy.max_backoff
    match policy.jitter:
        case "full":
            return longest * random.random()
        case "equal":
            return longest / 2 * (1 + random.random())
        case _:
            return longest
