"""Rules about errors: what clients tell one failure from another by."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from generator.breaking.behaviour import Behaviour, ErrorRow
from generator.breaking.rule import ALWAYS, JSON, Audience, Change, Rule
from generator.spec.codes import canonical_codes

_CLIENTS = (Audience.GRPC, Audience.REST)


def _gone(before: Behaviour, after: Behaviour) -> Iterator[Change]:
    for reason in before.errors:
        if reason not in after.errors:
            yield Change(reason, f"the error {reason} is gone", after.place("spec"))


def _pairs(before: Behaviour, after: Behaviour) -> Iterator[tuple[str, ErrorRow, ErrorRow, str]]:
    """The name of each row that is on both sides, the rows, and the key of its place; without a row a code has its own."""
    for reason, old in before.errors.items():
        if reason in after.errors:
            yield reason, old, after.errors[reason], f"error {reason}"
    for code in sorted(before.codes.keys() | after.codes.keys()):
        plain = ErrorRow(code, canonical_codes()[code].http if code in canonical_codes() else 0, "", ())
        yield code, before.codes.get(code, plain), after.codes.get(code, plain), f"code {code}"


def _same(what: str, value: Callable[[ErrorRow], object]) -> Callable[[Behaviour, Behaviour], Iterator[Change]]:
    def find(before: Behaviour, after: Behaviour) -> Iterator[Change]:
        for name, old, new, key in _pairs(before, after):
            if value(old) != value(new):
                told = what.format(before=value(old) or "none", after=value(new) or "none")
                yield Change(name, f"the error {name} has {told}", after.place(key))

    return find


def _same_business_code(before: Behaviour, after: Behaviour) -> Iterator[Change]:
    for name, old, new, key in _pairs(before, after):
        if old.business_code and old.business_code != new.business_code:
            now = new.business_code or "none"
            yield Change(name, f"the error {name} has the code {now}, not {old.business_code}", after.place(key))


def _same_metadata(before: Behaviour, after: Behaviour) -> Iterator[Change]:
    for name, old, new, key in _pairs(before, after):
        if gone := sorted(set(old.metadata) - set(new.metadata)):
            yield Change(name, f"the error {name} comes without {', '.join(gone)}", after.place(key))


def _same_setting(key: str, what: str) -> Callable[[Behaviour, Behaviour], Iterator[Change]]:
    def find(before: Behaviour, after: Behaviour) -> Iterator[Change]:
        old, new = before.settings.get(key), after.settings.get(key)
        if old is not None and new is not None and old != new:
            yield Change(key, what.format(before=old, after=new), after.place(f"setting {key}"))

    return find


def _same_code(before: Behaviour, after: Behaviour) -> Iterator[Change]:
    yield from _same("the gRPC code {after}, not {before}", lambda row: row.code)(before, after)
    unmapped = _same_setting("errors.unmapped.grpc", "what no row maps has the gRPC code {after}, not {before}")
    yield from unmapped(before, after)


RULES: tuple[Rule[Behaviour], ...] = (
    Rule(
        "ERROR_NO_DELETE",
        ALWAYS,
        _CLIENTS,
        "a row of the error table is gone, and with it the reason that clients know a failure by",
        "keep the row; what is not raised any more does no harm",
        _gone,
    ),
    Rule(
        "ERROR_SAME_CODE",
        ALWAYS,
        _CLIENTS,
        "an error has another gRPC code",
        "add a row of its own, and raise it where clients know it",
        _same_code,
    ),
    Rule(
        "ERROR_SAME_HTTP_STATUS",
        JSON,
        (Audience.REST,),
        "an error has another HTTP status",
        "set `http` to the old status",
        _same("the HTTP status {after}, not {before}", lambda row: row.http),
    ),
    Rule(
        "ERROR_SAME_BUSINESS_CODE",
        ALWAYS,
        _CLIENTS,
        "an error has another `code` of the team's own, or none",
        "keep the old code",
        _same_business_code,
    ),
    Rule(
        "ERROR_METADATA_NO_DELETE",
        ALWAYS,
        _CLIENTS,
        "a placeholder is gone from an error's message, and with it the key of its metadata",
        "keep the placeholder in the message; or raise another error",
        _same_metadata,
    ),
    Rule(
        "ERROR_SAME_DOMAIN",
        ALWAYS,
        _CLIENTS,
        "the domain of all errors is another, by which clients know whose reasons they are",
        "set `errors.domain` to the old one",
        _same_setting("errors.domain", "errors are of the domain {after}, not {before}"),
    ),
    Rule(
        "ERROR_SAME_BODY",
        JSON,
        (Audience.REST,),
        "errors have another body over REST",
        "leave `errors.rest` as it is",
        _same_setting("errors.rest", "errors have the body {after}, not {before}"),
    ),
)
