"""What stages have in common, made once and closed with the server."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

ValueT = TypeVar("ValueT")


@runtime_checkable
class Holds(Protocol):
    """What gives permits to calls, and has them back when they end."""

    @property
    def held(self) -> int:
        """How many permits calls have now."""


class Shared:
    """What several methods' stages have in common, made once: a limit that all methods count against, a store.

    `opened` are context managers that the server enters before it listens and leaves after the last call.
    """

    __slots__ = ("_made", "opened")

    def __init__(self) -> None:
        self._made: dict[Hashable, object] = {}
        self.opened: list[AbstractAsyncContextManager[Any]] = []

    def one(self, key: Hashable, make: Callable[[], ValueT]) -> ValueT:
        """What was made under that key before, or else what `make` makes now."""
        if key not in self._made:
            self._made[key] = make()
        return cast("ValueT", self._made[key])

    def held(self) -> dict[str, int]:
        """How many permits calls have now, by what gave them: none once the last call has ended."""
        found: dict[str, int] = {}
        for key, made in self._made.items():
            if isinstance(made, Shared):
                found |= {f"{key} {name}": count for name, count in made.held().items()}
            elif isinstance(made, Holds) and made.held:
                found[str(key)] = made.held
        return found
