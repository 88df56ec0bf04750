"""What the spec says about where the service runs: its registry and deliberate faults."""

from typing import ClassVar, Literal

from generator.spec.fields import (
    Bool,
    CodeName,
    Count,
    DependencyName,
    MetadataName,
    Model,
    Name,
    Percent,
    Selector,
    Text,
    setting,
)
from generator.spec.units import PositiveDuration


class Registry(Model):
    """Where the service announces itself."""

    discriminator: ClassVar[str] = "kind"

    kind: Literal["none", "etcd"] = setting("none", "none, or etcd.")
    endpoints: tuple[Text, ...] = setting(
        (), "Addresses of etcd.", example=["http://etcd:2379"], needed=True, only=("etcd",)
    )
    ttl: PositiveDuration = setting(15.0, "The announcement lapses when not renewed for this long.", only=("etcd",))
    heartbeat: PositiveDuration = setting(5.0, "How often it is renewed.", only=("etcd",))
    fallback: tuple[Text, ...] = setting(
        (), "Addresses used when the first ones are gone.", example=["http://etcd-b:2379"], only=("etcd",)
    )


class Fault(Model):
    """One deliberate fault: a delay, an error, or both."""

    methods: tuple[Selector, ...] = setting((), "Incoming calls it may hit; all when empty.", example=["GetOrder"])
    dependencies: tuple[DependencyName, ...] = setting((), "Outgoing calls it may hit instead.", example=["inventory"])
    percent: Percent = setting(0.0, "Share of those calls that it hits.", example=5, unit="%", needed=True)
    latency: PositiveDuration | None = setting(None, "A delay.", example="200ms")
    abort: CodeName | None = setting(None, "An error, by its gRPC code.", example="UNAVAILABLE")
    header: MetadataName | None = setting(None, "Only calls that carry this header are hit.", example="x-fault")
    max_concurrent: Count = setting(100, "Calls held in this fault at once, at most.")


class Chaos(Model):
    """Deliberate faults, refused outside the environments named."""

    enabled: Bool = setting(False, "Whether faults are injected at all.")
    allowed_environments: tuple[Name, ...] = setting(
        ("dev", "staging"), "Values of ENVIRONMENT in which they may be.", example=["dev", "staging"]
    )
    max_percent: Percent = setting(
        50.0,
        "The largest share of a method's calls that its faults may hit together, those with a header aside.",
        unit="%",
    )
    max_latency: PositiveDuration = setting(10.0, "The longest delay that a fault may have.", example="10s")
    faults: tuple[Fault, ...] = setting((), "The faults.", example=[{"percent": 5, "latency": "200ms"}])
