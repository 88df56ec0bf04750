"""The policy block: every mechanism that can be set for incoming calls, at any level."""

from generator.spec.breaker import CircuitBreaker, Fallback
from generator.spec.fields import Bool, Count, Level, Model, Name, Switch, Text, setting
from generator.spec.limits import ConcurrencyLimiter, LoadShedding, OnStoreError, RateLimiter
from generator.spec.units import Duration, PositiveDuration, Size


class Deadline(Model):
    """How long a call may take: the client's deadline, capped by `max`, or `default` when it sends none."""

    default: PositiveDuration = setting(10.0, "Deadline of a call that comes without one.", example="2s")
    max: PositiveDuration = setting(30.0, "No call may take longer, whatever its client asks for.", example="10s")
    min_remaining: Duration = setting(0.0, "A call with less time left is refused at once.", example="10ms")
    reserve: Duration = setting(
        0.0, "Time kept back from what calls to dependencies are given, to answer in.", example="50ms"
    )


class Idempotency(Model):
    """The same call twice runs once; the second gets the first one's response."""

    header: Text = setting("Idempotency-Key", "The header or metadata that carries the key.")
    field: Name | None = setting(None, "A field of the request that carries the key.", example="request_id")
    ttl: PositiveDuration = setting(86400.0, "How long a response is kept.", example="24h")
    lock_ttl: PositiveDuration = setting(30.0, "How long a call in flight holds its key.", example="30s")
    required: Bool = setting(False, "Whether a call without a key is refused.")
    max_memory: Size = setting(
        64 << 20, "Memory for the answers that this process keeps; the oldest go first.", example="64MiB"
    )
    store: Name = setting(
        "memory", "Where responses are kept: memory, or a dependency of protocol redis.", example="redis"
    )
    store_timeout: PositiveDuration = setting(0.05, "Longest wait for the store.", example="20ms")
    on_store_error: OnStoreError = setting(
        "reject",
        "What happens when the store is slow or gone: keys kept locally, the call run unprotected, or refused.",
    )


class Streaming(Model):
    """Limits of streaming calls."""

    idle_timeout: PositiveDuration | None = setting(
        None, "A stream without a message in either direction for longer is ended.", example="5s"
    )
    max_duration: PositiveDuration | None = setting(None, "A stream that lasts longer is ended.", example="1h")
    max_buffered_messages: Count = setting(
        16,
        "Messages of a stream over REST that wait in the process: responses for the socket, and over WebSocket requests for the handler. gRPC holds one each way, and bounds the bytes beneath.",
    )
    max_message_bytes: Size | None = setting(None, "Largest single message, in its protobuf form.", example="64KiB")


class Validation(Model):
    """Checks of the request beyond its wire form."""

    field_behavior: Bool = setting(True, "Whether fields marked REQUIRED by google.api.field_behavior must be there.")
    protovalidate: Bool = setting(True, "Whether buf.validate rules are checked, where the contract has some.")


class ServerPolicy(Model):
    """Mechanisms for incoming calls. `false` turns one off at the level where it stands."""

    deadline: Switch[Deadline] = setting(None, "How long a call may take.", example={"default": "2s", "max": "10s"})
    criticality: Level = setting(
        "CRITICAL",
        "What is refused last when there is not enough for all: CRITICAL_PLUS, then CRITICAL, SHEDDABLE_PLUS, SHEDDABLE.",
    )
    concurrency_limiter: Switch[ConcurrencyLimiter] = setting(None, "How many calls run at once.")
    load_shedding: Switch[LoadShedding] = setting(
        None, "When the process is overloaded, less critical work is refused."
    )
    rate_limiter: Switch[RateLimiter] = setting(None, "How many calls a second are admitted.")
    validation: Switch[Validation] = setting(None, "Checks of the request beyond its wire form.")
    idempotency: Switch[Idempotency] = setting(None, "The same call twice runs once.")
    fallback: Switch[Fallback] = setting(
        None, "What answers where the handler fails, or its circuit breaker is open; unary calls only."
    )
    circuit_breaker: Switch[CircuitBreaker] = setting(None, "Stops running a handler that keeps failing.")
    streaming: Switch[Streaming] = setting(None, "Limits of streaming calls.")
