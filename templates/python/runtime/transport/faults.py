"""The transports' own failures as ServiceErrors: requests that no message can be made of, callers that have gone."""

from __future__ import annotations

from grpc import StatusCode

from ..errors import ServiceError, invalid_argument

_MAX_ECHO = 100  # characters of the caller's own words in an answer


def invalid(field: str, description: str, *, http: int = 400, reason: str = "") -> ServiceError:
    """`invalid_argument` of a field, query parameter or header by the caller's own name for it; "" is the body."""
    if field:
        return invalid_argument(printable(field), description, http=http, reason=reason)
    return invalid_argument("body", description, subject="the request body", http=http, reason=reason)


def too_large(limit: int) -> ServiceError:
    """The body exceeds `limit` bytes."""
    return ServiceError(
        StatusCode.RESOURCE_EXHAUSTED,
        f"the request body exceeds {limit} bytes",
        reason="REQUEST_TOO_LARGE",
        http=413,
    )


def head_too_large() -> ServiceError:
    return invalid("headers", "are too large", http=431)


def unsupported_media_type(what: str) -> ServiceError:
    """A body in a form that is not read; `what` says which forms are."""
    return invalid("content-type", what, http=415, reason="UNSUPPORTED_MEDIA_TYPE")


def caller_gone() -> ServiceError:
    """The caller went away before its request had arrived, or while it was being answered."""
    return ServiceError(StatusCode.CANCELLED, "the caller has gone")


def no_route() -> ServiceError:
    return ServiceError(StatusCode.NOT_FOUND, "no RPC is served at this path", reason="ROUTE_NOT_FOUND")


def wrong_verb(allow: tuple[str, ...]) -> ServiceError:
    return ServiceError(
        StatusCode.UNIMPLEMENTED,
        f"this path is served under {', '.join(allow)}",
        reason="METHOD_NOT_ALLOWED",
        http=405,
    )


def upgrade_required() -> ServiceError:
    return ServiceError(
        StatusCode.UNIMPLEMENTED,
        "a bidirectional stream is served over WebSocket (RFC 6455), version 13",
        reason="UPGRADE_REQUIRED",
        http=426,
    )


def printable(text: str) -> str:
    """The caller's own words as far as an answer may repeat them: short, and without control characters."""
    cut = text if len(text) <= _MAX_ECHO else text[:_MAX_ECHO] + "…"
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in cut)
