"""Policies of the service as a whole: its ports, its life, who may call, what is told of it; and all of them together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .incoming import AccessPolicy, MethodPolicy
from .outgoing import DependencyPolicy


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
