"""Rules about REST: which routes there are, and what they take and answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from generator.breaking.behaviour import Behaviour, Method, Route
from generator.breaking.rule import JSON, Audience, Change, Rule
from generator.contract.http_rule import TemplateError, parse_template
from generator.contract.model import PathTemplate

_REST = (Audience.REST,)


class Served(NamedTuple):
    """A route and the RPC that it reaches."""

    name: str  # the RPC's full name
    method: Method
    route: Route

    @property
    def text(self) -> str:
        return f"{self.route.verb} {self.route.path}"

    @property
    def keys(self) -> tuple[str, str]:
        """Of the places that a finding about it can have."""
        return f"route {self.name} {self.text}", f"rpc {self.name}"


def _served(behaviour: Behaviour) -> list[Served]:
    return [Served(name, method, route) for name, method in behaviour.methods.items() for route in method.routes]


class _Table:
    """The routes of one version, by what requests for another version's routes reach; each template is parsed once."""

    __slots__ = ("_exact", "_parsed")

    def __init__(self, behaviour: Behaviour) -> None:
        served = _served(behaviour)
        self._exact = {(one.route.verb, one.route.path): one for one in reversed(served)}
        self._parsed = [(one, template) for one in served if (template := _template(one.route)) is not None]

    def reached(self, old: Served) -> Served | None:
        """What a request for an old route reaches; of several, what serves the RPC that it was a route of."""
        exact = self._exact.get((old.route.verb, old.route.path))
        if exact is not None:
            return exact
        found = [one for one in self._covering(old.route) if one.route.verb in ("*", old.route.verb)]
        return next((one for one in found if one.name == old.name), found[0] if found else None)

    def otherwise(self, old: Served) -> Served | None:
        """The route of the same RPC that has an old one's URLs, under whatever HTTP method."""
        return next((one for one in self._covering(old.route) if one.name == old.name), None)

    def _covering(self, old: Route) -> Iterator[Served]:
        """The routes that have every URL of `old`, whatever their variables are called."""
        narrow = _template(old)
        if narrow is not None:
            for one, wide in self._parsed:
                if wide.verb == narrow.verb and _cover(wide.segments, narrow.segments):
                    yield one


def _template(route: Route) -> PathTemplate | None:
    try:
        return parse_template(route.path)
    except TemplateError:  # in a baseline that somebody has changed
        return None


def _cover(wide: Sequence[str], narrow: Sequence[str]) -> bool:
    if "**" in wide and len(narrow) >= len(wide) - 1:
        at = wide.index("**")
        after = len(wide) - at - 1
        middle_end = len(narrow) - after
        return _cover(wide[:at], narrow[:at]) and _cover(wide[at + 1 :], narrow[middle_end:])
    if len(wide) != len(narrow):
        return False
    return all(one in ("*", other) and other != "**" for one, other in zip(wide, narrow, strict=True))


def _gone(before: Behaviour, after: Behaviour) -> Iterator[Change]:
    now = _Table(after)
    for old in _served(before):
        if now.reached(old) is None and now.otherwise(old) is None:
            place = after.place(f"rpc {old.name}", f"service {old.name.rpartition('.')[0]}")
            yield Change(old.name, f"{old.text} reaches nothing any more", place, old.name)


def _same_verb(before: Behaviour, after: Behaviour) -> Iterator[Change]:
    now = _Table(after)
    for old in _served(before):
        new = now.otherwise(old) if now.reached(old) is None else None
        if new is not None:
            what = f"{old.route.path} is a {new.route.verb}, no longer a {old.route.verb}"
            yield Change(old.name, what, after.place(*new.keys), old.name)


def _same_rpc(before: Behaviour, after: Behaviour) -> Iterator[Change]:
    now = _Table(after)
    for old in _served(before):
        new = now.reached(old)
        if new is None or new.name == old.name:
            continue
        if (new.method.request, new.method.response) != (old.method.request, old.method.response):
            yield Change(old.name, f"{old.text} reaches {new.name}, not {old.name}", after.place(*new.keys), new.name)


def _same(what: str, value: Callable[[Route], str]) -> Callable[[Behaviour, Behaviour], Iterator[Change]]:
    """Finds routes of which something is not what it was; `what` says it with {before} and {after}."""

    def find(before: Behaviour, after: Behaviour) -> Iterator[Change]:
        now = _Table(after)
        for old in _served(before):
            new = now.reached(old)
            if new is None or value(new.route) == value(old.route):
                continue
            told = what.format(before=value(old.route), after=value(new.route))
            yield Change(old.name, f"{old.text} {told}", after.place(*new.keys), new.name)

    return find


def _body(route: Route) -> str:
    return {"": "no body", "*": "the request as its body"}.get(route.body, f"the field {route.body} as its body")


def _response_body(route: Route) -> str:
    return f"its field {route.response_body} alone" if route.response_body else "the whole response"


def _framing(route: Route) -> str:
    framings = {
        "message": "one JSON value",
        "array": "a JSON array, message by message",
        "bytes": "bytes as they are",
        "websocket": "messages over WebSocket",
    }
    return framings.get(route.framing, route.framing)


def _omitted_defaults(before: Behaviour, after: Behaviour) -> Iterator[Change]:
    key = "server.rest.emitDefaults"
    if (before.settings.get(key), after.settings.get(key)) == ("true", "false"):
        what = "responses leave out the fields that are at their default, and had them"
        yield Change(key, what, after.place(f"setting {key}"))


def _rejected_fields(before: Behaviour, after: Behaviour) -> Iterator[Change]:
    key = "server.rest.unknownFields"
    if (before.settings.get(key), after.settings.get(key)) == ("ignore", "reject"):
        what = "requests with fields that the contract does not know are refused, and were not"
        yield Change(key, what, after.place(f"setting {key}"))


RULES: tuple[Rule[Behaviour], ...] = (
    Rule(
        "ROUTE_NO_DELETE",
        JSON,
        _REST,
        "a URL that reached an RPC reaches nothing; another name of a variable, or a template that covers the old one, is fine",
        "keep the old template in `additional_bindings`",
        _gone,
    ),
    Rule(
        "ROUTE_SAME_VERB",
        JSON,
        _REST,
        "a URL is served under another HTTP method",
        "keep the old method in `additional_bindings`",
        _same_verb,
    ),
    Rule(
        "ROUTE_SAME_RPC",
        JSON,
        _REST,
        "a URL reaches an RPC of other types",
        "give the new RPC a path of its own",
        _same_rpc,
    ),
    Rule(
        "ROUTE_SAME_BODY",
        JSON,
        _REST,
        "the body of a request is another field, the whole request, or nothing",
        "add a binding of its own path to `additional_bindings`",
        _same("takes {after}, not {before}", _body),
    ),
    Rule(
        "ROUTE_SAME_RESPONSE_BODY",
        JSON,
        _REST,
        "the body of a response is another field, or the whole response and was not",
        "add a binding of its own path to `additional_bindings`",
        _same("answers {after}, not {before}", _response_body),
    ),
    Rule(
        "ROUTE_SAME_FRAMING",
        JSON,
        _REST,
        "a response comes in another form where the caller asks for none: one value, an array, bytes, or a WebSocket",
        "add an RPC of its own",
        _same("answers {after}, not {before}", _framing),
    ),
    Rule(
        "REST_DEFAULTS_NO_OMIT",
        JSON,
        _REST,
        "responses had all fields, and leave out those at their default",
        "leave `server.rest.emitDefaults` on",
        _omitted_defaults,
    ),
    Rule(
        "REST_UNKNOWN_FIELDS_NO_REJECT",
        JSON,
        _REST,
        "unknown fields were ignored, and are refused",
        "leave `server.rest.unknownFields` at `ignore`",
        _rejected_fields,
    ),
)
