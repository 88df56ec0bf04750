"""The spec's error table: one row gives both protocols, the text, and who retries."""

from collections.abc import Mapping
from typing import Annotated, Literal

from generator.spec.fields import Bool, CodeName, HttpErrorStatus, Language, Model, Reason, Text, setting
from generator.spec.spelling import text
from generator.spec.units import Duration

BusinessCode = Annotated[str, text("business code", pattern="^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$")]
Messages = Mapping[Language, Text]


class ErrorRow(Model):
    """A reason of the table: what a handler raises by name, and what both protocols answer."""

    grpc: CodeName = setting("UNKNOWN", "The gRPC status code.", example="FAILED_PRECONDITION", needed=True)
    http: HttpErrorStatus | None = setting(None, "The HTTP status; by the gRPC code when absent.", example=409)
    code: BusinessCode | None = setting(None, "Your own code, carried to both protocols.", example="ERR_STOCK_001")
    retryable: Bool | None = setting(
        None, "Whether a client may try again; by the gRPC code (UNAVAILABLE may) when absent.", example=False
    )
    retry_after: Duration | None = setting(
        None, "How long a client should wait: Retry-After, RetryInfo and pushback at once.", example="1s"
    )
    breaker: Literal["failure", "ignore"] | None = setting(
        None, "Whether a circuit breaker counts it; by the gRPC code when absent.", example="ignore"
    )
    slo: Literal["good", "bad"] | None = setting(
        None, "Whether it counts against the objectives; by the gRPC code when absent.", example="good"
    )
    message: Messages = setting(
        None,
        "Text by language, with {placeholders}; the first language is the one a client without a preference gets.",
        example={"en": "Only {available} of {sku} left"},
        factory=dict,
    )


class CodeRow(Model):
    """What errors raised by a code alone, and the runtime's own, carry."""

    http: HttpErrorStatus | None = setting(None, "The HTTP status; by the gRPC code when absent.", example=422)
    code: BusinessCode | None = setting(None, "Your own code, carried to both protocols.", example="ERR_PARAM_001")
    retryable: Bool | None = setting(
        None, "Whether a client may try again; by the gRPC code (UNAVAILABLE may) when absent.", example=True
    )
    retry_after: Duration | None = setting(None, "How long a client should wait.", example="1s")
    message: Messages = setting(
        None, "Text by language, with {placeholders}.", example={"en": "{resource} was not found"}, factory=dict
    )


class Unmapped(Model):
    """What becomes of an exception that has no row."""

    grpc: CodeName = setting("INTERNAL", "The gRPC status code.")
    redact: Bool = setting(
        True, "Whether its text is kept from the client; the log has it, under an id the client sees."
    )


class Errors(Model):
    """How failures look from outside."""

    domain: Text = setting("", "The domain of ErrorInfo; the service's name when absent.", example="orders.example.com")
    rest: Literal["google", "problem", "status"] = setting(
        "google", "Body over REST: google (AIP-193), problem (RFC 9457), or status (a bare google.rpc.Status)."
    )
    table: Mapping[Reason, ErrorRow] = setting(
        None,
        "Rows by reason, UPPER_SNAKE_CASE; each becomes an exception class.",
        example={"OUT_OF_STOCK": {"grpc": "FAILED_PRECONDITION", "http": 409}},
        factory=dict,
    )
    by_code: Mapping[CodeName, CodeRow] = setting(
        None,
        "Rows by gRPC status code.",
        example={"NOT_FOUND": {"code": "ERR_RES_002"}},
        factory=dict,
    )
    unmapped: Unmapped = setting(
        None, "What becomes of an exception that has no row.", factory=Unmapped.model_construct
    )
