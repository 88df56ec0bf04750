"""Rules about what a caller may ask of a method: time, rate, size, and who may ask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from generator.breaking.behaviour import Behaviour, Method
from generator.breaking.checks import REQUIRED, tightened
from generator.breaking.rule import ALWAYS, Audience, Change, Rule
from generator.errors import Place
from generator.spec.units import parse_duration, parse_size

_CLIENTS = (Audience.GRPC, Audience.REST)

_Measure = Callable[[str], float]


def _methods(before: Behaviour, after: Behaviour) -> Iterator[tuple[str, Method, Method]]:
    for name, old in before.methods.items():
        if name in after.methods:
            yield name, old, after.methods[name]


class _Found(NamedTuple):
    """What became of one method: `key` is that of the policy, `what` tells it without the method's name."""

    name: str
    key: str
    what: str
    place: Place


def _told(found: Iterable[_Found]) -> Iterator[Change]:
    """One change for each line that does the same to methods: of one, by its name; of several, by the key."""
    groups: dict[tuple[str, str, Place], list[str]] = {}
    for one in found:
        groups.setdefault((one.key, one.what, one.place), []).append(one.name)
    for (key, what, place), names in groups.items():
        if len(names) == 1:
            yield Change(names[0], f"{names[0]}: {what}", place, names[0], also=key)
        else:
            yield Change(key, f"{len(names)} methods: {what}", place, rpcs=tuple(names))


def _lowered(measure: _Measure, *limits: tuple[str, ...]) -> Callable[[Behaviour, Behaviour], Iterator[Change]]:
    """Finds methods with a lower limit than they had, or with one where there was none.

    A limit is set by one of several keys: which of them depends on others.
    """

    def found(before: Behaviour, after: Behaviour) -> Iterator[_Found]:
        for name, old, new in _methods(before, after):
            for keys in limits:
                key = next((key for key in keys if key in new.policy), "")
                was = next((old.policy[key] for key in keys if key in old.policy), None)
                if key and _is_lower(measure, was, new.policy[key]):
                    what = f"{key} is {new.policy[key]}, {f'not {was}' if was else 'and there was no such limit'}"
                    yield _Found(name, key, what, after.place(f"{name} {key}"))

    return lambda before, after: _told(found(before, after))


def _is_lower(measure: _Measure, old: str | None, new: str | None) -> bool:
    if new is None:
        return False
    try:
        return old is None or measure(new) < measure(old)
    except ValueError:  # in a baseline that somebody has changed
        return old != new


def _rate_lowered(before: Behaviour, after: Behaviour) -> Iterator[Change]:
    yield from _lowered(float, ("rateLimiter.requestsPerSecond",), ("rateLimiter.burstCapacity",))(before, after)
    yield from _told(_window_lowered(before, after))


def _window_lowered(before: Behaviour, after: Behaviour) -> Iterator[_Found]:
    section = "rateLimiter.slidingWindow"
    limit, per = f"{section}.limit", f"{section}.per"
    for name, old, new in _methods(before, after):
        was, now = (_Window.of(one.policy.get(limit), one.policy.get(per)) for one in (old, new))
        if now is not None and (was is None or now.admits_less_than(was)):
            what = f"{section} is {now}, {f'not {was}' if was else 'and there was no such limit'}"
            yield _Found(name, section, what, after.place(f"{name} {limit}", f"{name} {per}"))


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
    what = "calls without an idempotency key are refused"
    yield from _told(
        _Found(name, key, what, after.place(f"{name} {key}"))
        for name, old, new in _methods(before, after)
        if new.policy.get(key) == "True" != old.policy.get(key)
    )


def _check_tightened(before: Behaviour, after: Behaviour) -> Iterator[Change]:
    if before.checks is None or after.checks is None:
        return
    for message, told in after.checks.items():
        for rule, was in tightened(before.checks[message], told) if message in before.checks else ():
            member, _, path = rule.rpartition(" ")
            subject = f"{message}.{member}" if member else message
            what = _check_told(subject, path, told.get(rule), was)
            place = after.place(f"field {subject}", f"message {message}")
            yield Change(subject, what, place, message, also="validation")


def _check_told(subject: str, path: str, value: str | None, was: str) -> str:
    if path in (REQUIRED, "required"):
        return f"{subject} must be there, and did not have to"
    if value is None:
        return f"{subject} is checked: there was a rule {path} = {was}"
    return f"{subject} is checked for {path} = {value}, {f'not {was}' if was else 'and was not'}"


def _access_tightened(before: Behaviour, after: Behaviour) -> Iterator[Change]:
    yield from _told(
        _Found(name, "auth", f"a caller needs {_needs(new)}, not {_needs(old)}", after.place(f"{name} access"))
        for name, old, new in _methods(before, after)
        if new.access.refuses_some_of(old.access)
    )


def _needs(method: Method) -> str:
    return "what nobody has" if method.access.needs == "refused" else str(method.access)


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
        "leave callers what they had: methods can have a `deadline` of their own",
        _lowered(parse_duration, ("deadline.default",), ("deadline.max",)),
    ),
    Rule(
        "STREAM_NO_SHORTEN",
        ALWAYS,
        _CLIENTS,
        "a stream may last, or be silent, for less time than it could: `streaming.maxDuration`, `streaming.idleTimeout`",
        "leave callers what they had: methods can have a `streaming` of their own",
        _lowered(parse_duration, ("streaming.maxDuration",), ("streaming.idleTimeout",)),
    ),
    Rule(
        "RATE_LIMIT_NO_LOWER",
        ALWAYS,
        _CLIENTS,
        "fewer calls a second are admitted than were, or in a window, or at once",
        "leave callers what they had: methods can have a `rateLimiter` of their own",
        _rate_lowered,
    ),
    Rule(
        "CONCURRENCY_LIMIT_NO_LOWER",
        ALWAYS,
        _CLIENTS,
        "fewer calls or streams may run at once than could",
        "leave callers what they had: methods can have a `concurrencyLimiter` of their own",
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
        "REQUEST_NO_TIGHTEN",
        ALWAYS,
        _CLIENTS,
        "requests are refused that were not: a field is REQUIRED, or a rule of buf.validate is new or stricter, and `validation` is on",
        "leave the field optional and give it a default in the handler; or ask for it in a new method",
        _check_tightened,
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
