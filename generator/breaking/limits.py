"""Rules about what a caller may ask of a method: time, rate, size, and who may ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from generator.breaking.behaviour import Behaviour, Method
from generator.breaking.rule import ALWAYS, Audience, Change, Rule
from generator.spec.units import parse_duration, parse_size

_CLIENTS = (Audience.GRPC, Audience.REST)

_Measure = Callable[[str], float]


def _methods(before: Behaviour, after: Behaviour) -> Iterator[tuple[str, Method, Method]]:
    for name, old in before.methods.items():
        if name in after.methods:
            yield name, old, after.methods[name]


def _lowered(measure: _Measure, *limits: tuple[str, ...]) -> Callable[[Behaviour, Behaviour], Iterator[Change]]:
    """Finds methods with a lower limit than they had, or with one where there was none.

    A limit is set by one of several keys: which of them depends on others.
    """

    def find(before: Behaviour, after: Behaviour) -> Iterator[Change]:
        for name, old, new in _methods(before, after):
            for keys in limits:
                key = next((key for key in keys if key in new.policy), "")
                was = next((old.policy[key] for key in keys if key in old.policy), None)
                if key and _is_lower(measure, was, new.policy[key]):
                    what = f"{name} has {key} {new.policy[key]}, {f'not {was}' if was else 'and had no such limit'}"
                    yield Change(name, what, after.place(f"{name} {key}"), name)

    return find


def _is_lower(measure: _Measure, old: str | None, new: str | None) -> bool:
    if new is None:
        return False
    try:
        return old is None or measure(new) < measure(old)
    except ValueError:  # in a baseline that somebody has changed
        return old != new


def _rate_lowered(before: Behaviour, after: Behaviour) -> Iterator[Change]:
    yield from _lowered(float, ("rateLimiter.requestsPerSecond",), ("rateLimiter.burstCapacity",))(before, after)
    limit, per = "rateLimiter.slidingWindow.limit", "rateLimiter.slidingWindow.per"
    for name, old, new in _methods(before, after):
        was, now = (_Window.of(one.policy.get(limit), one.policy.get(per)) for one in (old, new))
        if now is not None and (was is None or now.admits_less_than(was)):
            what = f"{name} admits {now}, {f'not {was}' if was else 'and had no such limit'}"
            yield Change(name, what, after.place(f"{name} {limit}", f"{name} {per}"), name)


@dataclass(frozen=True, slots=True)
class _Window:
    """So many calls in so long a time, as written."""

    limit: str
    per: str

    @classmethod
    def of(cls, limit: str | None, per: str | None) -> _Window | None:
        return None if limit is None or per is None else cls(limit, per)

    def admits_less_than(self, other: _Window) -> bool:
        """At once, or over time."""
        try:
            return float(self.limit) < float(other.limit) or self._rate() < other._rate()
        except (ValueError, ZeroDivisionError):  # in a baseline that somebody has changed
            return self != other

    def _rate(self) -> float:
        return float(self.limit) / parse_duration(self.per)

    def __str__(self) -> str:
        return f"{self.limit} calls in {self.per}"


def _size_lowered(before: Behaviour, after: Behaviour) -> Iterator[Change]:
    for key in ("server.grpc.maxMessageBytes", "server.grpc.maxMetadataBytes", "server.rest.maxBodyBytes"):
        old, new = before.settings.get(key), after.settings.get(key)
        if old is not None and _is_lower(parse_size, old, new):
            yield Change(key, f"{key} is {new}, not {old}", after.place(f"setting {key}"))
    yield from _lowered(parse_size, ("streaming.maxMessageBytes",))(before, after)


def _key_required(before: Behaviour, after: Behaviour) -> Iterator[Change]:
    key = "idempotency.required"
    for name, old, new in _methods(before, after):
        if new.policy.get(key) == "True" != old.policy.get(key):
            yield Change(name, f"{name} refuses calls without an idempotency key", after.place(f"{name} {key}"), name)


def _access_tightened(before: Behaviour, after: Behaviour) -> Iterator[Change]:
    for name, old, new in _methods(before, after):
        if new.access.refuses_some_of(old.access):
            what = f"{name} needs {new.access}; it needed {old.access}"
            if new.access.needs == "refused":
                what = f"{name} may not be called by anybody; it needed {old.access}"
            yield Change(name, what, after.place(f"{name} access"), name)


def _withdrawn(before: Behaviour, after: Behaviour) -> Iterator[Change]:
    for name in before.methods:
        if name not in after.methods and name in after.declared:
            yield Change(name, f"{name} is no longer served", after.place(f"service {name.rpartition('.')[0]}"), name)


RULES: tuple[Rule[Behaviour], ...] = (
    Rule(
        "DEADLINE_NO_SHORTEN",
        ALWAYS,
        _CLIENTS,
        "a call may take less time than it could: `deadline.default` or `deadline.max`",
        "give the method a `deadline` of its own, as long as it was",
        _lowered(parse_duration, ("deadline.default",), ("deadline.max",)),
    ),
    Rule(
        "STREAM_NO_SHORTEN",
        ALWAYS,
        _CLIENTS,
        "a stream may last, or be silent, for less time than it could: `streaming.maxDuration`, `streaming.idleTimeout`",
        "give the method a `streaming` of its own, as generous as it was",
        _lowered(parse_duration, ("streaming.maxDuration",), ("streaming.idleTimeout",)),
    ),
    Rule(
        "RATE_LIMIT_NO_LOWER",
        ALWAYS,
        _CLIENTS,
        "fewer calls a second are admitted than were, or in a window, or at once",
        "give the method a `rateLimiter` of its own, as generous as it was",
        _rate_lowered,
    ),
    Rule(
        "CONCURRENCY_LIMIT_NO_LOWER",
        ALWAYS,
        _CLIENTS,
        "fewer calls or streams may run at once than could",
        "give the method a `concurrencyLimiter` of its own, as generous as it was",
        _lowered(
            float,
            ("concurrencyLimiter.limit", "concurrencyLimiter.maxLimit"),
            ("concurrencyLimiter.maxStreams",),
        ),
    ),
    Rule(
        "MESSAGE_SIZE_NO_LOWER",
        ALWAYS,
        _CLIENTS,
        "messages, bodies or metadata may be less large than they could",
        "leave the limit as it is",
        _size_lowered,
    ),
    Rule(
        "IDEMPOTENCY_KEY_NO_REQUIRE",
        ALWAYS,
        _CLIENTS,
        "a call needs an idempotency key and did not",
        "leave `idempotency.required` off, and ask for keys in the documentation",
        _key_required,
    ),
    Rule(
        "ACCESS_NO_TIGHTEN",
        ALWAYS,
        _CLIENTS,
        "somebody who could call a method may not any more: it needs a token, a scope or a role that it did not need",
        "give the scope to everybody who calls the method first; then accept the change",
        _access_tightened,
    ),
    Rule(
        "RPC_NO_WITHDRAW",
        ALWAYS,
        _CLIENTS,
        "an RPC was served, and is not any more",
        "keep its file among `contracts`; mark it deprecated, until nobody calls it",
        _withdrawn,
    ),
)
