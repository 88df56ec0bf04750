"""The error table's failures as a test raises them and as a caller must see them, in each of their languages."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

from ..errors import ErrorRow, ServiceError, TableError, fill


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
    return tuple(
        Failure(found, language)
        for found in vars(errors).values()
        if inspect.isclass(found) and issubclass(found, TableError) and found is not TableError
        for language in (found.row.messages or ("",))
    )


def predicates(errors: ModuleType, error: BaseException) -> list[str]:
    """The names of the predicates of `gen/errors.py` that recognise the error."""
    return [
        name
        for name, found in vars(errors).items()
        if name.startswith("is_") and inspect.isfunction(found) and found.__module__ == errors.__name__ and found(error)
    ]
