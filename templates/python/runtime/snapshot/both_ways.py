"""Policies of calls in either direction: those that are served, and those to dependencies."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a circuit breaker opens, for how long, and how it closes; times in seconds, rates in percent."""

    failure_threshold: int | None = None  # consecutive failures that open it
    failure_rate: float | None = None  # share of failures in the window that opens it
    slow_after: float | None = None  # a call that takes longer is slow
    slow_rate: float = 100.0  # share of slow calls in the window that opens it
    minimum_calls: int = 20  # in the window, before a rate means anything
    window_calls: int | None = 100  # the window: the last so many calls,
    window_seconds: float | None = None  # or, where given, the calls of the last while
    open_initial: float = 5.0
    open_max: float = 60.0
    open_multiplier: float = 2.0  # each time half-open fails
    open_jitter: float = 0.2  # random share added or taken away
    half_open_calls: int = 5  # admitted, and that must succeed, before it closes
    half_open_max_wait: float = 30.0  # for their results; 0 for ever


@dataclass(frozen=True, slots=True)
class FallbackPolicy:
    """What answers where a handler, or a dependency, cannot."""

    kind: str  # "static", "cache" or "handler"
    value: str = ""  # static: the response, in its JSON form
    ttl: float = 60.0  # cache: seconds
    max_entries: int = 1000  # cache
    handler: str = ""  # handler: the name of a method of the handler's class, or of the dependency's fallbacks


@dataclass(frozen=True, slots=True)
class RateLimitKeyPolicy:
    """Whose calls share one limit."""

    source: str  # "peer", "principal", "auth.claim:<claim>" or "metadata:<name>"
    on_missing: str  # "reject", or "shared": counted together with all such calls


@dataclass(frozen=True, slots=True)
class RateLimitPolicy:
    """How many calls are admitted: a rate, a count over a window, or both; times in seconds."""

    scope: str  # methods of one scope count together: "" the service's, a proto service's name, or an RPC's path
    rate: float | None = None  # calls a second
    burst: int = 1  # calls at once after a quiet time
    window_limit: int | None = None  # calls in any `window`
    window: float = 60.0
    timeout: float = 0.0  # longest wait for a permit
    key: RateLimitKeyPolicy | None = None  # None: all calls count together
    max_keys: int = 50_000  # kept in memory
    store: str = "memory"  # or the name of a dependency
    store_timeout: float = 0.05
    on_store_error: str = "localFallback"  # "localFallback", "allow" or "reject"


@dataclass(frozen=True, slots=True)
class FaultPolicy:
    """A deliberate fault: a delay, an error, or one after the other."""

    percent: float  # share of the calls that it may hit
    latency: float | None = None  # seconds
    abort: str | None = None  # a gRPC code's name
    header: str | None = None  # metadata without which a call is not hit
    max_concurrent: int = 100  # calls that it delays at once
