"""What stages have in common, made once and closed with the server."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar, cast

ValueT = TypeVar("ValueT")


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
