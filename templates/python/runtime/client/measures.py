"""The metrics of calls to dependencies; their labels are names of the spec and of contracts, so they are bounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from ..batch import Batch
from ..policies.adaptive_timeout import State as TimeoutState
from ..policies.breaker import State as BreakerState

# OpenTelemetry semantic conventions, in Prometheus's spelling (dots to underscores, the unit last).
RPC_CLIENT_CALL_DURATION: Final = "rpc_client_call_duration_seconds"
CLIENT_ATTEMPTS: Final = "holdfast_client_attempts"
CLIENT_EVENTS: Final = "holdfast_client_events"
CLIENT_BREAKER_STATE: Final = "holdfast_client_circuit_breaker_state"
CLIENT_TIMEOUT_STATE: Final = "holdfast_client_adaptive_timeout_state"


class ClientMeasures:
    """What the clients of one server count, in its registry."""

    def __init__(self, batch: Batch, buckets: Sequence[float]) -> None:
        self._batch = batch
        self._duration = Histogram(
            RPC_CLIENT_CALL_DURATION,
            "Duration of calls to dependencies, all attempts and waits together.",
            ("dependency", "rpc_system_name", "rpc_method", "rpc_response_status_code", "error_type"),
            registry=batch.registry,
            buckets=buckets,
        )
        self._attempts = Counter(
            CLIENT_ATTEMPTS,
            "Attempts that were sent to dependencies, by how they ended.",
            ("dependency", "rpc_method", "rpc_response_status_code"),
            registry=batch.registry,
        )
        self._events = Counter(
            CLIENT_EVENTS,
            "What the policies of dependencies did to calls.",
            ("dependency", "stage", "reason", "rpc_method"),
            registry=batch.registry,
        )
        self._breaker = Gauge(
            CLIENT_BREAKER_STATE,
            "1 for the state that a circuit breaker is in.",
            ("dependency", "rpc_method", "state"),
            registry=batch.registry,
            multiprocess_mode="livesum",
        )
        self._timeout = Gauge(
            CLIENT_TIMEOUT_STATE,
            "1 for the state that an adaptive timeout is in.",
            ("dependency", "rpc_method", "state"),
            registry=batch.registry,
            multiprocess_mode="livesum",
        )

    def duration(self, dependency: str, system: str, method: str, code: str, error: str) -> Callable[[float], None]:
        """Observes the seconds that a call took which ended so; `code` is "" where nothing was sent."""
        return self._batch.single(self._duration.labels(dependency, system, method, code, error).observe)

    def attempt(self, dependency: str, method: str, code: str) -> Callable[[float], None]:
        """Counts attempts that ended with that code."""
        return self._batch.summed(self._attempts.labels(dependency, method, code).inc)

    def event(self, dependency: str, stage: str, reason: str, method: str) -> Callable[[], None]:
        """Counts what a stage did to a call."""
        return self._events.labels(dependency, stage, reason, method).inc

    def breaker(self, dependency: str, method: str) -> Callable[[BreakerState, BreakerState], None]:
        """Hears of the states of a breaker; `method` is "" for one of the whole dependency."""
        self._breaker.labels(dependency, method, BreakerState.CLOSED.value).set(1)

        def changed(before: BreakerState, after: BreakerState) -> None:
            self._breaker.labels(dependency, method, before.value).set(0)
            self._breaker.labels(dependency, method, after.value).set(1)
            self.event(dependency, "circuit_breaker", after.value, method)()

        return changed

    def adaptive_timeout(self, dependency: str, method: str) -> Callable[[TimeoutState, TimeoutState], None]:
        """Hears of the states of an adaptive timeout; `method` as for a breaker."""
        self._timeout.labels(dependency, method, TimeoutState.NORMAL.value).set(1)

        def changed(before: TimeoutState, after: TimeoutState) -> None:
            self._timeout.labels(dependency, method, before.value).set(0)
            self._timeout.labels(dependency, method, after.value).set(1)

        return changed
