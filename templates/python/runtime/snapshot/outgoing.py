"""Policies of the calls to dependencies, and of the connections to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .both_ways import BreakerPolicy, FallbackPolicy, FaultPolicy, RateLimitPolicy


@dataclass(frozen=True, slots=True)
class RetryBudgetPolicy:
    """How many retries and hedges the calls of a window may cause together."""

    percent: float  # of the calls in the window
    min_per_second: float  # always allowed
    window: float  # seconds


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When and how often a failed attempt is made again; times in seconds."""

    max_attempts: int  # the first included
    initial_backoff: float = 0.1
    max_backoff: float = 1.0
    backoff_multiplier: float = 2.0
    jitter: str = "full"  # full, equal or none
    codes: frozenset[str] = frozenset({"UNAVAILABLE"})  # that are tried again
    budget: RetryBudgetPolicy | None = None  # None for no bound


@dataclass(frozen=True, slots=True)
class HedgingPolicy:
    """When an attempt is sent beside one that is slow."""

    max_attempts: int  # the first included
    delay: float  # seconds before the next one
    non_fatal_codes: frozenset[str] = frozenset({"UNAVAILABLE"})  # after which the next one is sent at once


@dataclass(frozen=True, slots=True)
class BulkheadPolicy:
    """How many calls run at once, and how long one waits for its turn (seconds)."""

    max_concurrent_calls: int
    max_wait: float = 0.0


@dataclass(frozen=True, slots=True)
class AdaptiveTimeoutPolicy:
    """The bounds of an attempt timeout that follows the dependency's state, in seconds."""

    floor: float
    ceiling: float


@dataclass(frozen=True, slots=True)
class IdempotencyKeyPolicy:
    """Where the key goes that makes repeated attempts harmless."""

    header: str
    field: str | None = None  # of the request, beside the header


@dataclass(frozen=True, slots=True)
class OutgoingPolicy:
    """Every policy of the calls to one RPC of a dependency; times in seconds, None for what is off."""

    fallback: FallbackPolicy | None = None  # answers where a call fails
    connect_timeout: float | None = None  # for a connection, where there is none
    attempt_timeout: float | None = None  # of a single attempt
    total_timeout: float | None = None  # of a call, all its attempts and waits together
    idempotency: IdempotencyKeyPolicy | None = None
    retry: RetryPolicy | None = None
    hedging: HedgingPolicy | None = None
    rate_limit: RateLimitPolicy | None = None
    circuit_breaker: BreakerPolicy | None = None
    breaker_fallback: FallbackPolicy | None = None  # answers while the breaker is open, before `fallback`
    bulkhead: BulkheadPolicy | None = None
    adaptive_timeout: AdaptiveTimeoutPolicy | None = None


@dataclass(frozen=True, slots=True)
class ClientTlsPolicy:
    """How a dependency is known, and what it is shown; files are PEM, read again when they change."""

    ca: str = ""  # of the authorities of its certificate; "" for those that everybody trusts
    certificate: str = ""  # shown to it, with its key; "" where none is
    private_key: str = ""
    server_name: str = ""  # in its certificate; "" for the host of the target


@dataclass(frozen=True, slots=True)
class ClientKeepalive:
    """HTTP/2 pings to a dependency, in seconds."""

    time: float
    timeout: float
    permit_without_calls: bool


@dataclass(frozen=True, slots=True)
class ChannelPolicy:
    """How the connections to a dependency are kept; times in seconds, None for gRPC's own defaults. Over HTTP they have an age."""

    keepalive: ClientKeepalive | None = None
    load_balancing: str = "pick_first"  # or "round_robin"
    max_connection_age: float | None = None  # after which new calls get a new channel; None for never
    max_connection_age_grace: float = 300.0  # for the calls over a channel that was replaced
    max_message_bytes: int | None = None
    max_metadata_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class DependencyPolicy:
    """Where a dependency is, and how it is called.

    What `methods` (by gRPC path; over HTTP by operation) has in common with `calls` is one: a breaker, a bulkhead, a
    budget of the dependency. Where a method's differs, it is the method's own.
    """

    target: str
    calls: OutgoingPolicy = OutgoingPolicy()
    methods: Mapping[str, OutgoingPolicy] = field(default_factory=dict)
    idempotent: frozenset[str] = frozenset()  # paths of RPCs that may be repeated as they are
    channel: ChannelPolicy = ChannelPolicy()
    tls: ClientTlsPolicy | None = None  # None for a plain connection
    max_response_bytes: int = 4 << 20  # over HTTP
    faults: tuple[FaultPolicy, ...] = ()  # deliberate ones, which may hit any call
    optional: bool = False  # the service is ready without it

    def of(self, path: str) -> OutgoingPolicy:
        """The policy of the calls to that RPC."""
        return self.methods.get(path, self.calls)
