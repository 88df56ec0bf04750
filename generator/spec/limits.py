"""The spec's limits: rate, concurrency, load and bulkhead."""

from typing import Annotated, ClassVar, Literal

from generator.spec.fields import Count, Model, Name, Percent, Switch, setting
from generator.spec.spelling import number, text, whole
from generator.spec.units import MAX_WINDOW, Duration, PositiveDuration

KeySource = Annotated[
    str,
    text(
        "key source",
        pattern=r"^(?:peer|principal|auth\.claim:[A-Za-z0-9_.:/-]{1,128}|metadata:[a-z0-9_.-]{1,128})$",
        hint="a key comes from peer, principal, auth.claim:<claim> or metadata:<name>",
    ),
]
OnStoreError = Literal["localFallback", "allow", "reject"]


class RateLimitKey(Model):
    """Whose calls share one limit."""

    source: KeySource = setting(
        "peer",
        "What tells callers apart: peer, principal, auth.claim:<claim> or metadata:<name> (which callers can forge); for "
        "calls to a dependency, who it is that the call in progress is for.",
        example="auth.claim:tenant",
        alias="from",
    )
    on_missing: Literal["reject", "shared"] = setting(
        "reject", "What happens to a call without the key: refused, or counted together with all such calls."
    )
    max_keys: Count = setting(50_000, "How many keys are kept at once; the least recently used goes first.")


class SlidingWindow(Model):
    """An exact count over a window of time."""

    limit: Annotated[int, whole(ge=1, le=MAX_WINDOW)] = setting(
        0, "Calls admitted in any window.", example=600, needed=True
    )
    per: PositiveDuration = setting(60.0, "Length of the window.", example="1m")


class RateLimiter(Model):
    """How many calls a second are admitted (GCRA), an exact count over a window, or both."""

    requests_per_second: Annotated[float, number(ge=1e-6, le=1e9)] | None = setting(
        None, "Sustained rate.", example=1200, unit="calls/s"
    )
    burst_capacity: Count | None = setting(
        None, "Calls admitted at once after a quiet time; one second's worth when absent.", example=300
    )
    sliding_window: Switch[SlidingWindow] = setting(None, "An exact count over a window, alone or beside the rate.")
    timeout: Duration = setting(0.0, "Longest wait for a permit; 0s rejects at once.", example="8s")
    key: RateLimitKey | None = setting(None, "Whose calls share one limit; all calls share it when absent.")
    store: Name = setting(
        "memory",
        "Where the limit is counted: memory (this process), or a dependency of protocol redis.",
        example="redis",
    )
    store_timeout: PositiveDuration = setting(0.05, "Longest wait for the store.", example="20ms")
    on_store_error: OnStoreError = setting(
        "localFallback", "What happens when the store is slow or gone: count locally, admit, or reject."
    )


class ConcurrencyLimiter(Model):
    """How many calls run at once, fixed or adapted to what the service can do."""

    discriminator: ClassVar[str] = "algorithm"

    algorithm: Literal["gradient2", "fixed", "aimd"] = setting(
        "gradient2", "How the limit moves: gradient2 by latency, aimd by timeouts and rejections, fixed not at all."
    )
    limit: Count = setting(0, "Calls at once.", example=64, needed=True, only=("fixed",))
    initial_limit: Count = setting(20, "Limit at the start.", only=("gradient2", "aimd"))
    min_limit: Count = setting(4, "The limit never falls below this.", only=("gradient2", "aimd"))
    max_limit: Count = setting(200, "The limit never rises above this.", only=("gradient2", "aimd"))
    rtt_tolerance: Annotated[float, number(ge=1, le=10)] = setting(
        1.5, "How far latency may rise over its long-term average before the limit falls.", only=("gradient2",)
    )
    smoothing: Annotated[float, number(gt=0, le=1)] = setting(
        0.2, "How fast the limit follows a new estimate; 1 is at once.", only=("gradient2",)
    )
    queue_size: Annotated[int, whole(ge=0)] = setting(4, "Headroom above the estimate, in calls.", only=("gradient2",))
    backoff_ratio: Annotated[float, number(ge=0.5, lt=1)] = setting(
        0.9, "What the limit is multiplied by after a drop.", only=("aimd",)
    )
    latency_threshold: PositiveDuration = setting(
        5.0, "A call that takes longer counts as a drop.", example="500ms", only=("aimd",)
    )
    max_streams: Count | None = setting(None, "Streams open at once, a limit of their own.", example=100)


class LoadShedding(Model):
    """When the process itself is overloaded, the least critical work is refused first."""

    event_loop_lag: PositiveDuration = setting(0.1, "Lag of the event loop from which calls are shed.", example="100ms")
    cpu_threshold: Percent = setting(90.0, "CPU use from which calls are shed.", unit="%")
    cool_off: Duration = setting(1.0, "How long shedding lasts after the last sign of overload.", example="1s")


class Bulkhead(Model):
    """How many calls to one dependency run at once."""

    max_concurrent_calls: Count = setting(0, "Calls at once.", example=50, needed=True)
    max_wait: Duration = setting(0.0, "Longest wait for a permit, in order of arrival; 0s rejects at once.")
