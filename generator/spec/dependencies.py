"""The spec's dependencies: whom the service calls, and how those calls survive."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from generator.spec.breaker import CircuitBreaker, Fallback
from generator.spec.fields import Bool, CallName, CodeName, Model, Name, Percent, Switch, Text, setting
from generator.spec.limits import Bulkhead, RateLimiter
from generator.spec.spelling import number, whole
from generator.spec.units import PositiveDuration, Size

Attempts = Annotated[int, whole(ge=1, le=20)]


class Timeout(Model):
    """How long calls to a dependency may take."""

    connect: PositiveDuration | None = setting(None, "Longest wait for a connection.", example="100ms")
    attempt: PositiveDuration | None = setting(None, "Longest single attempt.", example="300ms")
    total: PositiveDuration | None = setting(None, "Longest call, all attempts and waits together.", example="900ms")


class RetryBudget(Model):
    """How many retries the calls of a window may cause together."""

    percent: Percent = setting(20.0, "Retries allowed, as a share of the calls in the window.", unit="%")
    min_per_second: Annotated[float, number(ge=0)] = setting(3.0, "Retries always allowed.", unit="retries/s")
    window: PositiveDuration = setting(10.0, "Over how long calls are counted.", example="10s")


class Retry(Model):
    """When and how often a failed attempt is made again."""

    max_attempts: Attempts = setting(3, "Attempts in all, the first included; 1 is no retry.")
    initial_backoff: PositiveDuration = setting(0.1, "Wait before the second attempt.", example="50ms")
    max_backoff: PositiveDuration = setting(1.0, "Longest wait between attempts.", example="500ms")
    backoff_multiplier: Annotated[float, number(ge=1, le=10)] = setting(2.0, "Growth of the wait with each attempt.")
    jitter: Literal["full", "equal", "none"] = setting(
        "full", "How much of the wait is random: all of it, half of it, or none."
    )
    retryable_status_codes: tuple[CodeName, ...] = setting(
        ("UNAVAILABLE",), "Codes that are tried again.", example=["UNAVAILABLE", "ABORTED"]
    )
    budget: Switch[RetryBudget] = setting(
        None, "Bound on all retries together; on unless false.", factory=RetryBudget.model_construct
    )


class Hedging(Model):
    """A second attempt beside the first when it is slow; for idempotent methods only."""

    max_attempts: Attempts = setting(2, "Attempts in all, the first included.")
    delay: PositiveDuration = setting(
        0.0, "Wait before the next attempt is sent beside the others.", example="100ms", needed=True
    )
    non_fatal_status_codes: tuple[CodeName, ...] = setting(
        ("UNAVAILABLE",), "Codes after which the next attempt is sent at once; any other ends the call."
    )


class AdaptiveTimeout(Model):
    """An attempt timeout that widens with trouble and drops to the floor when the dependency is down."""

    floor: PositiveDuration = setting(0.0, "Never less than this.", example="100ms", needed=True)
    ceiling: PositiveDuration = setting(0.0, "Never more than this.", example="900ms", needed=True)


class IdempotencyKey(Model):
    """The key sent with each call, minted once and the same on every attempt."""

    header: Text = setting("Idempotency-Key", "The header or metadata that carries the key.")
    field: Name | None = setting(None, "A field of the request that carries the key.", example="request_id")


class ClientKeepalive(Model):
    """HTTP/2 pings, which find out that a connection is dead. A server disconnects who pings more often than it allows."""

    time: PositiveDuration = setting(
        0.0, "Quiet time after which the dependency is pinged, 10s or more.", example="30s", needed=True
    )
    timeout: PositiveDuration = setting(20.0, "Wait for the answer before the connection is closed.", example="5s")
    permit_without_calls: Bool = setting(False, "Whether pings are sent while no call is running.")


class ClientTls(Model):
    """Encryption of the connections, TLS 1.2 or newer; when the files change, new calls get new connections."""

    discriminator: ClassVar[str] = "mode"

    mode: Literal["off", "tls", "mtls"] = setting("off", "off, tls, or mtls, which shows a certificate too.")
    ca: Text = setting(
        "",
        "Authorities that the dependency's certificate comes from, PEM; the public ones when absent.",
        example="/etc/tls/ca.crt",
        only=("tls", "mtls"),
    )
    certificate: Text = setting(
        "",
        "The certificate chain that is shown, PEM.",
        example="/etc/tls/tls.crt",
        needed=True,
        only=("mtls",),
    )
    private_key: Text = setting("", "Its key, PEM.", example="/etc/tls/tls.key", needed=True, only=("mtls",))
    server_name: Text = setting(
        "",
        "The name in the dependency's certificate; the target's host when absent.",
        example="inventory.internal",
        only=("tls", "mtls"),
    )


class ClientPolicy(Model):
    """Mechanisms for calls to a dependency. `false` turns one off at the level where it stands."""

    fallback: Switch[Fallback] = setting(None, "What answers when the dependency cannot.")
    timeout: Switch[Timeout] = setting(None, "How long calls may take.")
    adaptive_timeout: Switch[AdaptiveTimeout] = setting(None, "An attempt timeout that follows the dependency's state.")
    idempotency: Switch[IdempotencyKey] = setting(None, "The key that makes repeated attempts harmless.")
    retry: Switch[Retry] = setting(None, "When and how often a failed attempt is made again.")
    hedging: Switch[Hedging] = setting(None, "A second attempt beside a slow first one.")
    rate_limiter: Switch[RateLimiter] = setting(None, "How many calls a second are sent.")
    circuit_breaker: Switch[CircuitBreaker] = setting(None, "Stops calling what keeps failing.")
    bulkhead: Switch[Bulkhead] = setting(None, "How many calls run at once.")


class Dependency(ClientPolicy):
    """A service that this one calls."""

    protocol: Literal["grpc", "http", "redis"] = setting("grpc", "How it is spoken to.")
    contract: Text | None = setting(
        None,
        "Its .proto file, looked up as the main contract is; a typed client is generated.",
        example="inventory/v1/inventory.proto",
    )
    errors: Text | None = setting(
        None,
        "Its error table: its own spec, or a YAML file with the same errors section, below contract/ or beside this "
        "one; each row becomes an exception class.",
        example="inventory/resilience.yaml",
    )
    target: Text = setting("", "Where it is.", example="dns:///inventory:50051", needed=True)
    tls: ClientTls = setting(None, "Encryption of the connections.", factory=ClientTls.model_construct)
    load_balancing: Literal["pick_first", "round_robin"] = setting(
        "pick_first", "Whether calls go to the first address that answers, or to each in turn; gRPC only."
    )
    keepalive: Switch[ClientKeepalive] = setting(None, "HTTP/2 pings; none when absent; gRPC only.")
    max_connection_age: PositiveDuration | None = setting(
        None, "New calls get a new connection after this long; never when absent.", example="5m"
    )
    max_connection_age_grace: PositiveDuration = setting(
        300.0, "Time for calls over a connection that was replaced, by age or, over gRPC, for a new certificate."
    )
    max_message_bytes: Size | None = setting(
        None, "Largest request or response; 4MiB for responses alone when absent; gRPC only.", example="16MiB"
    )
    max_metadata_bytes: Size | None = setting(
        None, "Largest metadata of a response; 8KiB, or up to 16KiB, when absent; gRPC only.", example="16KiB"
    )
    optional: Bool = setting(
        False, "Whether the service is ready before it was reached; one that is not holds up readiness at the start."
    )
    max_response_bytes: Size = setting(
        4 * 1024 * 1024, "Largest answer over HTTP; a larger one is refused.", example="4MiB"
    )
    methods: Mapping[CallName, ClientPolicy] = setting(
        None,
        "Overrides for single methods, by name; over HTTP for requests, by method and path (`GET /rates/{base}`).",
        example={"GetStock": {"retry": False}},
        factory=dict,
    )
