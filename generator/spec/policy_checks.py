"""What must hold in a resolved policy, and which values follow from others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from generator.document import Path, Plain, dotted
from generator.errors import Finding, Place
from generator.spec.breaker import CircuitBreaker
from generator.spec.dependencies import Retry
from generator.spec.fields import Model, fields
from generator.spec.limits import RateLimiter
from generator.spec.merge import Section, origin, written
from generator.spec.rules import check_keys
from generator.spec.units import format_duration

# (section, the smaller value, the larger one); both durations, or both counts.
_ORDERED = (
    (("deadline",), "default", "max"),
    (("concurrencyLimiter",), "minLimit", "maxLimit"),
    (("concurrencyLimiter",), "minLimit", "initialLimit"),
    (("concurrencyLimiter",), "initialLimit", "maxLimit"),
    (("idempotency",), "lockTtl", "ttl"),
    (("circuitBreaker", "openFor"), "initial", "max"),
    (("streaming",), "idleTimeout", "maxDuration"),
    (("timeout",), "attempt", "total"),
    (("timeout",), "connect", "total"),
    (("adaptiveTimeout",), "floor", "ceiling"),
    (("retry",), "initialBackoff", "maxBackoff"),
)

_LOCK: Path = ("idempotency", "lockTtl")

# The caller's own, or what no further attempt can mend.
_NEVER_RETRIED = ("CANCELLED", "DEADLINE_EXCEEDED", "INVALID_ARGUMENT", "DATA_LOSS")


def _at(policy: Model, path: Path) -> Any:
    value: Any = policy
    for key in path:
        if not isinstance(value, Model):
            return None
        field = fields(type(value)).get(str(key))
        value = getattr(value, field.attribute) if field else None
    return value


def _shown(value: float) -> Plain:
    return value if isinstance(value, int) else format_duration(value)


def _disordered(policy: Model) -> Iterator[tuple[Path, float, Path, float]]:
    """The pairs of values that stand the wrong way round, each with its path; 0 is a needed value that is missing."""
    for section, low, high in _ORDERED:
        smaller, larger = _at(policy, (*section, low)), _at(policy, (*section, high))
        if smaller and larger and smaller > larger:
            yield (*section, low), smaller, (*section, high), larger


def derive(policy: Model, tree: Section) -> tuple[Path, Plain] | None:
    """The next value that nobody wrote and that others make different from its default; None when there is none."""
    for low, smaller, high, larger in _disordered(policy):
        if not written(tree, low):
            return low, _shown(larger)
        if not written(tree, high):
            return high, _shown(smaller)
    return _lock_default(policy, tree) or _breaker_default(policy, tree)


def _lock_default(policy: Model, tree: Section) -> tuple[Path, Plain] | None:
    """A key is locked for as long as its call may take."""
    lock, longest = _at(policy, _LOCK), _at(policy, ("deadline", "max"))
    if lock and longest and lock < longest and not written(tree, _LOCK):
        return _LOCK, format_duration(longest)
    return None


def _breaker_default(policy: Model, tree: Section) -> tuple[Path, Plain] | None:
    breaker = _at(policy, ("circuitBreaker",))
    if breaker is None:
        return None
    rate = ("circuitBreaker", "failureRateThreshold")
    if breaker.failure_threshold is None and breaker.slow_call is None and breaker.failure_rate_threshold is None:
        return rate, 50
    minimum, size = ("circuitBreaker", "minimumCalls"), ("circuitBreaker", "slidingWindow", "size")
    if _never_enough(breaker):
        if not written(tree, minimum):
            return minimum, breaker.sliding_window.size
        if not written(tree, size):
            return size, breaker.minimum_calls
    if (
        breaker.sliding_window.type == "time"
        and not written(tree, size)
        and isinstance(breaker.sliding_window.size, int)
    ):
        return size, "30s"
    return None


def _never_enough(breaker: CircuitBreaker) -> bool:
    """Whether the window holds fewer calls than a rate needs."""
    window = breaker.sliding_window
    return window.type == "count" and isinstance(window.size, int) and breaker.minimum_calls > window.size


def check_policy(policy: Model, tree: Section) -> list[Finding]:
    """Everything wrong with a resolved policy, at the line that caused it."""

    def place(path: Path) -> Place:
        return origin(tree, path)[1]

    findings = list(check_keys(policy, (), place, frozenset()))
    findings += _order(policy, tree)
    findings += _spent(policy, tree)
    for rule in (_rate_limiter, _lock, _breaker_window, _slow_calls, _retry_codes):
        findings += rule(policy, place)
    return findings


def _order(policy: Model, tree: Section) -> Iterator[Finding]:
    for low, smaller, high, larger in _disordered(policy):
        if not (written(tree, low) and written(tree, high)):
            continue
        culprit, other = _later(tree, low, high)
        message = f"{dotted(low)} ({_shown(smaller)}) is more than {dotted(high)} ({_shown(larger)})"
        hint = f"the other value is set in line {other.line}" if other.line != culprit.line else ""
        yield Finding(culprit, "values-out-of-order", message, hint)


def _spent(policy: Model, tree: Section) -> Iterator[Finding]:
    """A default deadline that is spent before there is anything to spend it on."""
    default = _at(policy, ("deadline", "default"))
    for key, then in (
        ("minRemaining", "would be refused at once"),
        ("reserve", "would have no time for its calls to dependencies"),
    ):
        kept = _at(policy, ("deadline", key))
        if kept and default and kept >= default:
            message = (
                f"deadline.{key} ({format_duration(kept)}) is not less than deadline.default "
                f"({format_duration(default)}): a call without a deadline of its own {then}"
            )
            culprit, _ = _later(tree, ("deadline", key), ("deadline", "default"))
            yield Finding(culprit, "values-out-of-order", message, f"shorten {key}, or lengthen default")


def _later(tree: Section, one: Path, other: Path) -> tuple[Place, Place]:
    """The places of two values, that of the later level first; of `one` where they are of one level."""
    (level, place), (other_level, other_place) = origin(tree, one), origin(tree, other)
    return (other_place, place) if _stronger(other_level, level) else (place, other_place)


_STRENGTH = ("built-in", "spec", "profile", "service", "dependency", "method", "dependency method")


def _stronger(level: str, other: str) -> bool:
    def rank(name: str) -> int:
        return _STRENGTH.index("profile" if name.startswith("profile ") else name)

    return rank(level) > rank(other)


def _rate_limiter(policy: Model, place: Callable[[Path], Place]) -> Iterator[Finding]:
    limiter = _at(policy, ("rateLimiter",))
    if isinstance(limiter, RateLimiter) and limiter.requests_per_second is None and limiter.sliding_window is None:
        message = "rateLimiter needs requestsPerSecond, slidingWindow or both"
        yield Finding(place(("rateLimiter",)), "missing-key", message, "for example requestsPerSecond: 1200")
    elif (
        isinstance(limiter, RateLimiter) and limiter.requests_per_second is None and limiter.burst_capacity is not None
    ):
        message = "rateLimiter.burstCapacity has no effect without requestsPerSecond"
        yield Finding(place(("rateLimiter", "burstCapacity")), "useless-key", message, "a window has no bursts")


def _lock(policy: Model, place: Callable[[Path], Place]) -> Iterator[Finding]:
    lock, longest = _at(policy, _LOCK), _at(policy, ("deadline", "max"))
    if lock and longest and lock < longest:
        message = (
            f"idempotency.lockTtl ({format_duration(lock)}) is less than deadline.max ({format_duration(longest)})"
        )
        hint = "a second call could begin while the first one still runs"
        yield Finding(place(_LOCK), "lock-too-short", message, hint)


def _breaker_window(policy: Model, place: Callable[[Path], Place]) -> Iterator[Finding]:
    window = _at(policy, ("circuitBreaker", "slidingWindow"))
    if window is None:
        return
    at = place(("circuitBreaker", "slidingWindow", "size"))
    if window.type == "count" and isinstance(window.size, float):
        message = f"circuitBreaker.slidingWindow.size is a time ({format_duration(window.size)}), but type is count"
        yield Finding(at, "wrong-unit", message, "write type: time, or a number of calls")
    elif window.type == "time" and isinstance(window.size, int):
        message = f"circuitBreaker.slidingWindow.size is a number of calls ({window.size}), but type is time"
        yield Finding(at, "wrong-unit", message, "write a duration such as 30s, or type: count")
    if _never_enough(policy_breaker := _at(policy, ("circuitBreaker",))):
        message = (
            f"circuitBreaker.minimumCalls ({policy_breaker.minimum_calls}) is more than the calls of "
            f"circuitBreaker.slidingWindow ({window.size})"
        )
        yield Finding(
            place(("circuitBreaker", "minimumCalls")),
            "values-out-of-order",
            message,
            "no rate would ever mean anything",
        )


def _slow_calls(policy: Model, place: Callable[[Path], Place]) -> Iterator[Finding]:
    """A call that is slow only once its time is up is never seen to be slow: it has failed by then."""
    slow = _at(policy, ("circuitBreaker", "slowCall", "duration"))
    for path in (("deadline", "max"), ("timeout", "attempt")):
        longest = _at(policy, path)
        if slow and longest and slow >= longest:
            message = (
                f"circuitBreaker.slowCall.duration ({format_duration(slow)}) is not less than {dotted(path)} "
                f"({format_duration(longest)}): no call would be slow"
            )
            at = place(("circuitBreaker", "slowCall", "duration"))
            yield Finding(at, "values-out-of-order", message, f"a call ends with {dotted(path)}")


def _retry_codes(policy: Model, place: Callable[[Path], Place]) -> Iterator[Finding]:
    retry = _at(policy, ("retry",))
    if not isinstance(retry, Retry):
        return
    for code in retry.retryable_status_codes:
        if code in _NEVER_RETRIED:
            message = f"retry.retryableStatusCodes: {code} is never retried"
            hint = "another attempt cannot mend it, or the caller has already given up"
            yield Finding(place(("retry", "retryableStatusCodes")), "never-retried", message, hint)
