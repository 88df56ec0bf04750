"""Every name of a metric and of a log event, once; and the metrics of one server."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from prometheus_client import Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from .batch import Batch

# OpenTelemetry semantic conventions, in Prometheus's spelling (dots to underscores, the unit last).
RPC_SERVER_CALL_DURATION: Final = "rpc_server_call_duration_seconds"
HTTP_SERVER_REQUEST_DURATION: Final = "http_server_request_duration_seconds"
TARGET: Final = "target_info"
CALLS_IN_FLIGHT: Final = "holdfast_server_calls_in_flight"
REJECTIONS: Final = "holdfast_server_rejections"
HEALTH_SCORE: Final = "holdfast_health_score"
DEGRADED: Final = "holdfast_degraded"
BREAKER_TRANSITIONS: Final = "holdfast_server_circuit_breaker_transitions"
FALLBACKS: Final = "holdfast_server_fallbacks"
STORE_FAILURES: Final = "holdfast_server_store_failures"
UNMAPPED_ERRORS: Final = "holdfast_server_unmapped_errors"
CERTIFICATE_EXPIRY: Final = "holdfast_tls_certificate_expiry_timestamp_seconds"
WORKERS_SERVING: Final = "holdfast_workers_serving"
WORKER_RESTARTS: Final = "holdfast_worker_restarts"

# Log events.
EVENT_CALL: Final = "call"
EVENT_SERVING: Final = "serving"
EVENT_TERMINATING: Final = "terminating"
EVENT_STOPPED: Final = "stopped"

# Reasons of `REJECTIONS`, by the stage that rejects.
DRAINING: Final = "draining"
DEADLINE_SPENT: Final = "deadline_spent"
DEADLINE_EXPIRED: Final = "deadline_expired"
RATE_LIMITED: Final = "rate_limited"
STORE_FAILED: Final = "store_failed"
IN_FLIGHT: Final = "in_flight"
KEY_INVALID: Final = "key_invalid"
KEY_MISSING: Final = "key_missing"
KEY_REUSED: Final = "key_reused"


# The values of `http_request_method` (OpenTelemetry's `http.request.method`): callers do not choose how many there are.
_HTTP_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"})


class Measures:
    """The metrics of one server, in a registry of its own.

    With PROMETHEUS_MULTIPROC_DIR set (a worker), prometheus_client keeps the values in files there, where the
    supervisor adds them up.
    """

    def __init__(self, buckets: Sequence[float]) -> None:
        self.batch = Batch()
        self.registry = self.batch.registry
        self._rpc_duration = Histogram(
            RPC_SERVER_CALL_DURATION,
            "Duration of calls served over gRPC.",
            ("rpc_system_name", "rpc_method", "rpc_response_status_code"),
            registry=self.registry,
            buckets=buckets,
        )
        self._http_duration = Histogram(
            HTTP_SERVER_REQUEST_DURATION,
            "Duration of calls served over REST, and of requests that no route takes.",
            ("http_request_method", "http_route", "http_response_status_code"),
            registry=self.registry,
            buckets=buckets,
        )
        self._in_flight = Gauge(
            CALLS_IN_FLIGHT, "Calls being served.", ("rpc_method",), registry=self.registry, multiprocess_mode="livesum"
        )
        self._rejections = Counter(
            REJECTIONS,
            "Calls that a stage refused or ended.",
            ("stage", "reason", "rpc_method"),
            registry=self.registry,
        )
        self._breakers = Counter(
            BREAKER_TRANSITIONS,
            "Changes of the state of a method's circuit breaker, by the state entered.",
            ("state", "rpc_method"),
            registry=self.registry,
        )
        self._fallbacks = Counter(FALLBACKS, "Calls that a fallback answered.", ("rpc_method",), registry=self.registry)
        self._store_failures = Counter(
            STORE_FAILURES,
            "Calls that a stage's shared store failed, by what was done in its place (onStoreError).",
            ("stage", "then"),
            registry=self.registry,
        )
        self._unmapped = Counter(
            UNMAPPED_ERRORS,
            "Exceptions of handlers that are in no error table.",
            ("rpc_method",),
            registry=self.registry,
        )

    def in_flight(self, method: str) -> Callable[[float], None]:
        """Counts the calls of the method as they begin, 1, and as they end, -1."""
        return self.batch.summed(self._in_flight.labels(method).inc)

    def rpc_duration(self, method: str, code: str) -> Callable[[float], None]:
        """Observes the seconds that a call over gRPC took which ended with that code."""
        return self.batch.single(self._rpc_duration.labels("grpc", method, code).observe)

    def http_duration(self, verb: str, route: str, status: int) -> Callable[[float], None]:
        """Observes the seconds that a request took which was answered with that status."""
        return self.batch.single(self._http_duration.labels(verb, route, str(status)).observe)

    def rejection(self, stage: str, reason: str, method: str) -> Callable[[], None]:
        """Counts one rejection; made once per stage and method, as looking a child up costs more than counting."""
        return self._rejections.labels(stage, reason, method).inc

    def breaker_state(self, method: str) -> Callable[[str], None]:
        """Counts a state that the method's breaker has entered."""
        return lambda state: self._breakers.labels(state, method).inc()

    def judged(self) -> Callable[[float, bool], None]:
        """Notes the score, and whether the service is degraded; made once, and only where somebody judges."""
        score = Gauge(
            HEALTH_SCORE,
            "The resilience score, from 0 to 100; the worst of several workers'.",
            registry=self.registry,
            multiprocess_mode="livemin",
        )
        degraded = Gauge(
            DEGRADED, "1 while the service is degraded.", registry=self.registry, multiprocess_mode="livemax"
        )

        def note(value: float, worse: bool) -> None:
            score.set(value)
            degraded.set(worse)

        note(100.0, False)
        return note

    def fallback(self, method: str) -> Callable[[], None]:
        """Counts one call that a fallback answered."""
        return self._fallbacks.labels(method).inc

    def store_failure(self, stage: str, then: str) -> Callable[[], None]:
        """Counts one call that the stage's store failed; `then` is what the policy says for that."""
        return self._store_failures.labels(stage, then).inc

    def unmapped(self, method: str) -> Callable[[], None]:
        """Counts one exception that no table maps."""
        return self._unmapped.labels(method).inc

    def refusal(self, verb: str, status: int, seconds: float) -> None:
        """Observes an HTTP request that became no call, and so has no route; `verb` is whatever the request said."""
        known = verb if verb in _HTTP_METHODS else "_OTHER"
        self._http_duration.labels(known, "", str(status)).observe(seconds)

    def target(self, service: str, labels: Mapping[str, str]) -> None:
        """Tells whose metrics these are, in labels of a metric that is always 1; said once."""
        of_all = {"service_name": service, **labels}
        gauge = Gauge(TARGET, "Whose metrics these are.", of_all, registry=self.registry, multiprocess_mode="livemax")
        gauge.labels(**of_all).set(1)

    def certificate_expiry(self) -> Callable[[float], None]:
        """Tells when the TLS certificate expires, in seconds since the epoch; asked for once, where TLS is on."""
        return Gauge(
            CERTIFICATE_EXPIRY,
            "When the certificate that new connections are given expires.",
            registry=self.registry,
            multiprocess_mode="livemin",
        ).set

    def exposition(self) -> tuple[str, bytes]:
        """The content type and the text that Prometheus scrapes."""
        return CONTENT_TYPE_LATEST, generate_latest(self.registry)


def uncounted(*_: object) -> None:
    """Stands in for a counter or a gauge where metrics are off."""
