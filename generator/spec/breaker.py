"""The spec's circuit breaker and fallback."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import GetJsonSchemaHandler, JsonValue, model_validator
from pydantic_core import CoreSchema, PydanticCustomError

from generator.spec.fields import Count, Model, Name, Percent, Ratio, Switch, setting
from generator.spec.spelling import number
from generator.spec.units import Duration, PositiveDuration, WindowSize

FallbackKind = Literal["none", "static", "cache", "local-cache", "handler"]


class Fallback(Model):
    """What answers when the call cannot; a kind alone may be written as a string."""

    discriminator: ClassVar[str] = "kind"

    kind: FallbackKind = setting(
        "none",
        "none; static, a value written here; cache (local-cache is the same), the last good response to the same "
        "request; handler, a method of yours.",
        example="cache",
    )
    value: JsonValue = setting(
        None, "The response, in its JSON form.", example={"items": []}, needed=True, only=("static",)
    )
    ttl: PositiveDuration = setting(
        60.0, "How old a cached response may be.", example="30s", only=("cache", "local-cache")
    )
    max_entries: Count = setting(
        1000, "Responses kept; the least recently used goes first.", only=("cache", "local-cache")
    )
    handler: Name = setting("", "The method's name.", example="quote_from_list_price", needed=True, only=("handler",))

    @model_validator(mode="before")
    @classmethod
    def _kind_alone(cls, written: object) -> object:
        return {"kind": written} if isinstance(written, str) else written

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        section = handler.resolve_ref_schema(handler(core_schema))
        kinds = section["properties"]["kind"]["enum"]
        return {
            "title": section.pop("title"),
            "description": section.pop("description"),
            "anyOf": [{"enum": kinds}, section],
        }


class BreakerWindow(Model):
    """Which calls the failure rate is taken over."""

    discriminator: ClassVar[str] = "type"

    type: Literal["count", "time"] = setting("count", "The last calls, or the calls of the last while.")
    size: WindowSize = setting(
        100, "Calls (type: count) or time (type: time); 30s when only the type is given.", example="30s"
    )


class SlowCall(Model):
    """Calls that succeed too late count against the breaker."""

    duration: PositiveDuration = setting(0.0, "A call that takes longer is slow.", example="200ms", needed=True)
    rate_threshold: Percent = setting(100.0, "Share of slow calls that opens the breaker.", unit="%", example=80)


class OpenFor(Model):
    """How long the breaker stays open, longer each time it fails to close."""

    initial: PositiveDuration = setting(5.0, "The first time.", example="5s")
    max: PositiveDuration = setting(60.0, "At most.", example="60s")
    multiplier: Annotated[float, number(ge=1, le=10)] = setting(2.0, "Growth each time half-open fails.")
    jitter: Ratio = setting(0.2, "Random share of the time, added or taken away.")


class CircuitBreaker(Model):
    """Stops calling what keeps failing, and tries again with a few calls."""

    failure_threshold: Count | None = setting(None, "Consecutive failures that open it.", example=15)
    failure_rate_threshold: Annotated[float, number("percentage, 0–100", gt=0, le=100)] | None = setting(
        None,
        "Share of failures in the window that opens it; 50 when neither failureThreshold nor slowCall is given.",
        unit="%",
        example=50,
    )
    minimum_calls: Count = setting(20, "Calls in the window before a rate means anything.")
    sliding_window: BreakerWindow = setting(
        None, "Which calls the rates are taken over.", factory=BreakerWindow.model_construct
    )
    slow_call: Switch[SlowCall] = setting(None, "Whether slow calls open it.")
    open_for: OpenFor = setting(None, "How long it stays open.", factory=OpenFor.model_construct)
    timeout_ms: Count | None = setting(
        None, "How long it stays open, in milliseconds: openFor.initial in its older spelling.", example=3000, unit="ms"
    )
    half_open_calls: Count = setting(5, "Calls admitted, and that must succeed, before it closes.")
    half_open_max_wait: Duration = setting(
        30.0, "Longest wait in half-open for the result of a call, before it goes back to open; 0s waits for ever."
    )
    fallback: Switch[Fallback] = setting(
        None, "What answers while it is open; the policy's `fallback` where absent.", example="local-cache"
    )

    @model_validator(mode="after")
    def _one_spelling(self) -> Self:
        if self.timeout_ms is not None and "initial" in self.open_for.model_fields_set:
            problem = "timeoutMs and openFor.initial say the same thing: keep openFor.initial"
            raise PydanticCustomError("conflict", "{problem}", {"problem": problem})
        return self
