"""What the spec says about being seen: metrics, traces, logs, health and objectives."""

from typing import Annotated, ClassVar, Literal

from pydantic_core import PydanticCustomError, core_schema

from generator.spec.fields import MetadataName, Model, Name, Percent, Ratio, Selector, Switch, Text, setting
from generator.spec.spelling import Spelling, number
from generator.spec.units import PositiveDuration


def _buckets(value: object) -> tuple[float, ...]:
    if value == "default":
        return ()
    if not isinstance(value, list) or not 1 <= len(value) <= 50:
        raise PydanticCustomError("buckets", "must be default or a list of 1 to 50 bounds in seconds")
    bounds = []
    for bound in value:
        if not isinstance(bound, int | float) or isinstance(bound, bool) or not 0 < bound < 86400:
            raise PydanticCustomError("buckets", "must be numbers of seconds above 0, such as [0.005, 0.1, 1]")
        bounds.append(float(bound))
    if bounds != sorted(set(bounds)):
        raise PydanticCustomError("buckets", "must be in ascending order, each once")
    return tuple(bounds)


def _format_buckets(bounds: tuple[float, ...]) -> Literal["default"] | list[float]:
    return list(bounds) or "default"


# Upper bounds in seconds; empty for the standard ones.
Buckets = Annotated[
    tuple[float, ...],
    Spelling(
        "default or list of seconds",
        core_schema.no_info_plain_validator_function(
            _buckets,
            serialization=core_schema.plain_serializer_function_ser_schema(_format_buckets, when_used="json"),
        ),
        {
            "anyOf": [
                {"const": "default"},
                {
                    "type": "array",
                    "items": {"type": "number", "exclusiveMinimum": 0},
                    "minItems": 1,
                    "maxItems": 50,
                    "uniqueItems": True,
                },
            ]
        },
    ),
]


class Metrics(Model):
    """Measures, by OpenTelemetry's names."""

    exporter: Literal["prometheus", "none"] = setting(
        "prometheus", "How they are read: /metrics on the admin port, or not."
    )
    buckets: Buckets = setting(
        (), "Bounds of the latency histograms, in seconds; default is OpenTelemetry's.", example=[0.005, 0.05, 0.5, 5]
    )


class Traces(Model):
    """Spans, once a tracer is configured."""

    sampler: Literal[
        "parentbased_traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "traceidratio",
        "always_on",
        "always_off",
    ] = setting("parentbased_always_on", "Which calls are traced, by OpenTelemetry's names.")
    ratio: Ratio = setting(1.0, "Share of traces kept by a traceidratio sampler.", example=0.05)
    always_on: tuple[Literal["error", "slow"], ...] = setting(
        (), "Calls that are kept whatever the sampler says.", example=["error", "slow"]
    )


class Logs(Model):
    """The access log and the process's own."""

    format: Literal["json", "text"] = setting("json", "One JSON object a line, or text for people.")
    redact: tuple[Text, ...] = setting((), "Fields that never appear, at any depth.", example=["card_number", "phone"])


class Propagate(Model):
    """What is handed on to dependencies."""

    metadata: tuple[MetadataName, ...] = setting(
        (), "Metadata and headers taken in and sent on.", example=["x-request-id", "x-tenant"]
    )


class Observability(Model):
    """Metrics, traces and logs."""

    metrics: Metrics = setting(None, "Measures.", factory=Metrics.model_construct)
    traces: Traces = setting(None, "Spans.", factory=Traces.model_construct)
    logs: Logs = setting(None, "Logs.", factory=Logs.model_construct)
    propagate: Propagate = setting(None, "What is handed on to dependencies.", factory=Propagate.model_construct)


class ScoreWeights(Model):
    """How much each signal counts; they add up to 1."""

    error_rate: Ratio = setting(0.4, "Failures of incoming calls.")
    dependency_latency: Ratio = setting(0.3, "p99 of calls to dependencies against their timeout.")
    saturation: Ratio = setting(0.2, "How full the limits are.")
    business: Ratio = setting(0.1, "A gauge that you feed.")


class Score(Model):
    """One number from 0 to 100 for how well the service is."""

    threshold: Percent = setting(
        75.0, "Below it the service is degraded: sheddable work is shed, fallbacks are preferred."
    )
    weights: ScoreWeights = setting(None, "How much each signal counts.", factory=ScoreWeights.model_construct)


class Health(Model):
    """How the service judges itself."""

    score: Switch[Score] = setting(None, "The resilience score.")


class Sli(Model):
    """What an objective measures."""

    discriminator: ClassVar[str] = "kind"

    kind: Literal["availability", "latency"] = setting(
        "availability", "Share of calls that did not fail, or that were fast enough."
    )
    threshold: PositiveDuration = setting(0.0, "A slower call is bad.", example="250ms", needed=True, only=("latency",))
    methods: tuple[Selector, ...] = setting((), "Which methods count; all when empty.", example=["GetOrder"])


class Slo(Model):
    """A service level objective."""

    name: Name = setting("", "Its name, unique.", example="availability", needed=True)
    objective: Annotated[float, number("percentage, 0–100", gt=0, lt=100)] = setting(
        0.0, "Share of good calls to reach.", example=99.9, unit="%", needed=True
    )
    window: PositiveDuration = setting(30 * 86400.0, "Over how long.", example="30d")
    sli: Sli = setting(None, "What is measured.", factory=Sli.model_construct)
