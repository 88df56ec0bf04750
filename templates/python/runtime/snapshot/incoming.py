"""Policies of the calls that are served, RPC by RPC."""

from __future__ import annotations

from dataclasses import dataclass

from .both_ways import BreakerPolicy, FallbackPolicy, FaultPolicy, RateLimitPolicy


@dataclass(frozen=True, slots=True)
class DeadlinePolicy:
    """All in seconds. `default` holds where the caller set none, `max` caps the caller's."""

    default: float
    max: float
    min_remaining: float  # a call with less left than this is refused at once
    reserve: float  # kept back from what is passed on to a dependency


@dataclass(frozen=True, slots=True)
class SheddingPolicy:
    """When the process counts as overloaded, and work is refused."""

    event_loop_lag: float  # seconds
    cpu_threshold: float  # percent of the CPUs that the process may use
    cool_off: float  # seconds that shedding lasts after the last sign of overload


@dataclass(frozen=True, slots=True)
class ConcurrencyPolicy:
    """How many calls run at once; methods of one `scope` count together."""

    scope: str  # "" for the whole service, or a service's name, or a gRPC path
    algorithm: str  # "fixed", "gradient2" or "aimd"
    limit: int  # calls at once, at the start where it moves
    min_limit: int = 1
    max_limit: int = 1
    rtt_tolerance: float = 1.5  # gradient2
    smoothing: float = 0.2  # gradient2
    queue_size: int = 4  # gradient2
    backoff_ratio: float = 0.9  # aimd
    latency_threshold: float = 5.0  # aimd, seconds
    max_streams: int | None = None  # streams at once, a limit of their own


@dataclass(frozen=True, slots=True)
class StreamingPolicy:
    """Limits of a streaming call; times in seconds."""

    idle_timeout: float | None = None  # without a message in either direction
    max_duration: float | None = None
    max_buffered_messages: int = 16  # over REST: responses for the socket, over WebSocket requests too
    max_message_bytes: int | None = None  # of one message, in its protobuf form


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """Who may call a method, of all who are authenticated; every part that is not empty must be met."""

    any_scope: tuple[str, ...] = ()
    all_scopes: tuple[str, ...] = ()
    any_role: tuple[str, ...] = ()
    any_peer: tuple[str, ...] = ()  # names in the client's certificate
    deny: bool = False  # no rule is about the method, and the default is to deny


@dataclass(frozen=True, slots=True)
class IdempotencyPolicy:
    """How calls that come twice are told and answered; times in seconds."""

    header: str  # lower case
    field: str | None = None  # of the request
    ttl: float = 86_400.0
    lock_ttl: float = 30.0
    required: bool = False
    max_memory: int = 64 << 20  # bytes of answers kept in this process
    store: str = "memory"  # or the name of a dependency
    store_timeout: float = 0.05
    on_store_error: str = "reject"  # "localFallback", "allow" or "reject"


@dataclass(frozen=True, slots=True)
class ValidationPolicy:
    """Which rules of the contract requests are held to."""

    field_behavior: bool = False  # REQUIRED fields
    protovalidate: bool = False  # buf.validate


@dataclass(frozen=True, slots=True)
class MethodPolicy:
    """Every policy of one RPC, resolved."""

    deadline: DeadlinePolicy | None  # None: only the caller's own holds
    criticality: str  # CRITICAL_PLUS, CRITICAL, SHEDDABLE_PLUS or SHEDDABLE
    faults: tuple[FaultPolicy, ...] = ()
    load_shedding: SheddingPolicy | None = None
    access: AccessPolicy | None = None  # None: anyone may call, and nobody asks who it is
    rate_limit: RateLimitPolicy | None = None
    validation: ValidationPolicy | None = None
    concurrency: ConcurrencyPolicy | None = None
    idempotency: IdempotencyPolicy | None = None
    fallback: FallbackPolicy | None = None  # answers where the handler fails
    breaker: BreakerPolicy | None = None
    breaker_fallback: FallbackPolicy | None = None  # answers while the breaker is open, before `fallback`
    streaming: StreamingPolicy | None = None
