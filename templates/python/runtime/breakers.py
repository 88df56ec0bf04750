"""The circuit breakers of a process by name, for whoever operates it: their states, and a word that comes before theirs."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from .policies.breaker import Breaker, State
from .shared import Shared

_log = logging.getLogger(__name__)

ACTIONS: Final[Mapping[str, Callable[[Breaker], None]]] = MappingProxyType(
    {
        "force-open": lambda breaker: breaker.force(State.FORCED_OPEN),
        "force-closed": lambda breaker: breaker.force(State.FORCED_CLOSED),
        "reset": Breaker.reset,
    }
)
"""What may be done to a breaker, by the name that it has on the admin port."""


Operate: TypeAlias = Callable[[str, str], Awaitable[Mapping[str, object] | None]]
"""Does one of ACTIONS to the breaker of that name, none where that is "", and tells the states of all; None where there is no such
breaker."""


class Breakers:
    """Every circuit breaker that has been made, the service's own and those of its dependencies."""

    def __init__(self) -> None:
        self._known: dict[str, Breaker] = {}

    def add(self, name: str, breaker: Breaker) -> None:
        """Have the breaker be known as `server/<RPC>`, `client/<dependency>`, or `client/<dependency>/<RPC>`."""
        self._known[name] = breaker

    def states(self) -> dict[str, str]:
        """The state of each breaker by its name."""
        return {name: breaker.state.value for name, breaker in sorted(self._known.items())}

    async def operate(self, name: str, action: str) -> Mapping[str, object] | None:
        """As Operate has it."""
        if name:
            breaker = self._known.get(name)
            if breaker is None:
                return None
            ACTIONS[action](breaker)
            _log.warning("circuit breaker %s: %s, by the operator", name, action)
        return {"breakers": self.states()}


def breakers_of(shared: Shared) -> Breakers:
    """The breakers of what shares that."""
    return shared.one("breakers", Breakers)
