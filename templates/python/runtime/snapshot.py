"""The resolved policies as one immutable snapshot: what `gen/policies.py` fills and every stage reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


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
class AccessPolicy:
    """Who may call a method, of all who are authenticated; every part that is not empty must be met."""

    any_scope: tuple[str, ...] = ()
    all_scopes: tuple[str, ...] = ()
    any_role: tuple[str, ...] = ()
    any_peer: tuple[str, ...] = ()  # names in the client's certificate
    deny: bool = False  # no rule is about the method, and the default is to deny


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
class FaultPolicy:
    """A deliberate fault: a delay, an error, or one after the other."""

    percent: float  # share of the calls that it may hit
    latency: float | None = None  # seconds
    abort: str | None = None  # a gRPC code's name
    header: str | None = None  # metadata without which a call is not hit
    max_concurrent: int = 100  # calls that it delays at once


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


@dataclass(frozen=True, slots=True)
class Keepalive:
    """HTTP/2 keepalive of the gRPC port, in seconds."""

    time: float
    timeout: float
    min_ping_interval: float


@dataclass(frozen=True, slots=True)
class GrpcPolicy:
    port: int
    max_concurrent_streams: int | None
    max_message_bytes: int
    max_metadata_bytes: int
    max_connection_age: float | None  # seconds
    max_connection_age_grace: float | None
    keepalive: Keepalive | None
    reflection: bool


@dataclass(frozen=True, slots=True)
class CorsPolicy:
    """Which web pages may call the REST port, and what they may send and see."""

    allow_origins: tuple[str, ...]  # as browsers send them ("https://shop.example.com"), or "*"
    allow_headers: tuple[str, ...]  # beyond the usual ones; "*" for all
    expose_headers: tuple[str, ...]
    allow_credentials: bool
    max_age: float  # seconds


@dataclass(frozen=True, slots=True)
class RestPolicy:
    port: int
    max_body_bytes: int
    emit_defaults: bool
    unknown_fields: str  # "reject" or "ignore"
    errors: str  # body shape: "google", "problem" or "status"
    cors: CorsPolicy | None = None  # None: no web page of another origin may call


@dataclass(frozen=True, slots=True)
class AdminPolicy:
    port: int
    bind: str


@dataclass(frozen=True, slots=True)
class LifecyclePolicy:
    """All in seconds."""

    startup_timeout: float
    propagation_delay: float
    drain_timeout: float
    cleanup_timeout: float
    termination_grace_period: float


@dataclass(frozen=True, slots=True)
class ObservabilityPolicy:
    metrics: bool
    buckets: tuple[float, ...]  # of the duration histograms, seconds
    trace_sampler: str  # an OpenTelemetry sampler name
    trace_ratio: float
    log_format: str  # "json" or "text"
    redact: frozenset[str]  # field names that never appear in a log line
    propagate: tuple[str, ...]  # metadata names taken in from REST and passed on to dependencies
    labels: Mapping[str, str] = field(default_factory=dict)  # the service's own, on its spans and its metrics page


@dataclass(frozen=True, slots=True)
class UnmappedPolicy:
    """What becomes of an exception that is no ServiceError."""

    code: str  # a gRPC code's name
    redact: bool  # whether its text is kept from the caller


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


@dataclass(frozen=True, slots=True)
class TlsPolicy:
    """The files of the certificate that the gRPC and REST ports show; PEM, read again when they change."""

    certificate: str
    private_key: str
    client_ca: str = ""  # of the authorities of clients' certificates; "" where clients are not asked for any


@dataclass(frozen=True, slots=True)
class JwtIssuer:
    """An issuer of bearer tokens, and what its tokens must be like."""

    issuer: str
    audience: str
    jwks: str  # the address of its keys
    algorithms: tuple[str, ...]
    clock_skew: float  # seconds
    scopes_claim: str
    roles_claim: str


@dataclass(frozen=True, slots=True)
class AuthPolicy:
    """How callers are authenticated; who may call what is in each method's `access`."""

    issuers: tuple[JwtIssuer, ...] = ()
    client_certificates: bool = False  # whether one is enough, without a token
    beside: Mapping[str, AccessPolicy] = field(default_factory=dict)  # health and reflection, by gRPC path


@dataclass(frozen=True, slots=True)
class ScorePolicy:
    """From when on the service is degraded, from 0 to 100, and how much each signal counts; together they are 1."""

    threshold: float
    error_rate: float
    dependency_latency: float
    saturation: float
    business: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The service's whole policy; `methods` is keyed by gRPC path, `hash` identifies the content."""

    methods: Mapping[str, MethodPolicy]
    grpc: GrpcPolicy
    rest: RestPolicy
    admin: AdminPolicy
    workers: int | str  # a count, or "auto": the CPU quota
    lifecycle: LifecyclePolicy
    observability: ObservabilityPolicy
    unmapped: UnmappedPolicy
    hash: str
    dependencies: Mapping[str, DependencyPolicy] = field(default_factory=dict)  # by the spec's name
    auth: AuthPolicy | None = None  # None: nobody is asked who they are
    tls: TlsPolicy | None = None  # None: both ports are plain
    fault_environments: tuple[str, ...] = ()  # values of ENVIRONMENT in which faults are injected
    score: ScorePolicy | None = None  # None: nobody judges how the service is

    @property
    def taken_in(self) -> tuple[str, ...]:
        """The names of metadata that policies ask for, and that REST takes in as headers of these names."""
        names = dict.fromkeys(self.observability.propagate)
        limits = [policy.rate_limit for policy in self.methods.values()]
        faults = [fault for policy in self.methods.values() for fault in policy.faults]
        for called in self.dependencies.values():
            limits += [policy.rate_limit for policy in (called.calls, *called.methods.values())]
            faults += called.faults
        names |= dict.fromkeys(fault.header for fault in faults if fault.header is not None)
        for policy in self.methods.values():
            if policy.idempotency is not None:
                names[policy.idempotency.header] = None
        for limit in limits:
            if limit is not None and limit.key is not None:
                source, _, name = limit.key.source.partition(":")
                if source == "metadata":
                    names[name] = None
        return tuple(names)
