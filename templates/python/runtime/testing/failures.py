"""The error table's failures as a test raises them and as a caller must see them, in each of their languages."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType

from grpc import StatusCode

from ..call import Header
from ..errors import ErrorRow, ServiceError, TableError, fill
from .entries import Entry


@dataclass(frozen=True, slots=True)
class Failure:
    """One row of the error table in one of its languages, "" for a row without texts."""

    raised: type[TableError]
    language: str

    def __str__(self) -> str:
        return f"{self.row.reason} {self.language}".rstrip()

    @property
    def row(self) -> ErrorRow:
        return self.raised.row

    @property
    def asking(self) -> tuple[Header, ...]:
        """The metadata of a caller who reads that language."""
        return (("accept-language", self.language),) if self.language else ()

    @property
    def values(self) -> Mapping[str, str]:
        """A value for each placeholder of the row's texts."""
        return {name: f"a {name}" for name in self.row.placeholders}

    @property
    def text(self) -> str:
        """What the caller must read."""
        return fill(self.row.messages[self.language], self.values) if self.language else ""

    @property
    def metadata(self) -> Mapping[str, str]:
        """What ErrorInfo.metadata must hold."""
        return {**self.values, **({"code": self.row.business_code} if self.row.business_code else {})}

    @property
    def in_default_language(self) -> Failure:
        """The same row in the language that a caller gets who asks for none."""
        return Failure(self.raised, next(iter(self.row.messages), ""))

    @property
    def violations(self) -> list[tuple[str, str]]:
        """The fields that BadRequest must name, with their descriptions: that of an invalid argument's `{field}`."""
        named = self.row.code is StatusCode.INVALID_ARGUMENT and "field" in self.row.placeholders
        return [(self.values["field"], self.text)] if named else []

    def http(self, entry: Entry) -> int | None:
        """The HTTP status that the caller must see: None over gRPC and WebSocket."""
        return self.row.http if entry.protocol == "rest" and not entry.over_web_socket else None

    def pushback(self, entry: Entry) -> float | None:
        """Seconds that the protocol's own advice must say: milliseconds over gRPC, whole seconds over REST.

        None over WebSocket, which has a place for none.
        """
        seconds = self.row.retry_after
        if seconds is None or entry.over_web_socket:
            return None
        return float(math.ceil(seconds)) if entry.protocol == "rest" else math.ceil(round(seconds * 1000, 6)) / 1000

    def error(self) -> TableError:
        """The exception of the generated class, as a handler raises it."""
        parameters = inspect.signature(self.raised).parameters
        names = [name for name in parameters if name != "details"]
        return self.raised(**dict(zip(names, self.values.values(), strict=True)))  # type: ignore[arg-type]

    def bare(self) -> ServiceError:
        """The same failure raised by its code alone, which finds the row in `errors.byCode`."""
        return ServiceError(self.row.code, metadata=self.values)


def failures(errors: ModuleType) -> tuple[Failure, ...]:
    """Each row that `gen/errors.py` has a class for, in each language."""
    return tuple(Failure(found, language) for found in _classes(errors) for language in (found.row.messages or ("",)))


def predicates(errors: ModuleType, failure: Failure) -> tuple[list[str], int]:
    """The predicates of `gen/errors.py` that recognise the failure, and how many there are for its reason."""
    error = failure.error()
    recognising = [
        name
        for name, found in vars(errors).items()
        if inspect.isfunction(found) and found.__module__ == errors.__name__ and found(error)
    ]
    return recognising, sum(found.row.reason == failure.row.reason for found in _classes(errors))


def _classes(errors: ModuleType) -> Iterator[type[TableError]]:
    for found in vars(errors).values():
        if inspect.isclass(found) and issubclass(found, TableError) and found is not TableError:
            yield found
