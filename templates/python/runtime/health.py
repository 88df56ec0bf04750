"""Health: what the service says of itself, per gRPC service and as a process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass

WHOLE_SERVER = ""
"""The name that grpc.health.v1 gives to the server as a whole."""


@dataclass(frozen=True, slots=True)
class Report:
    """What `/healthz` shows. `phase` is one of starting, serving, terminating and stopped."""

    phase: str
    ready: bool
    services: Mapping[str, bool]


class Health:
    """The health of one server: nothing serves until `serve`, nothing serves from `terminate` on.

    Liveness is not here: a process that answers is alive, whatever its dependencies do.
    """

    def __init__(self, services: Iterable[str]) -> None:
        self._serving = dict.fromkeys((WHOLE_SERVER, *services), False)
        self._phase = "starting"
        self._changed = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether new work may be sent here: started, and not terminating."""
        return self._phase == "serving" and self._serving[WHOLE_SERVER]

    def status(self, service: str) -> bool | None:
        """Whether that service serves; None for a service that is not here. "" is the whole server."""
        return self._serving.get(service)

    def serve(self) -> None:
        """The server has started: every service serves. Without effect once it terminates."""
        if self._phase == "starting":
            self._phase = "serving"
            self._set_all(True)

    def set(self, service: str, serving: bool) -> None:
        """Say that one service serves or does not; without effect once the server terminates.

        Raises KeyError for a service that is not here.
        """
        if service not in self._serving:
            raise KeyError(service)
        if self._phase == "serving":
            self._serving[service] = serving
            self._wake()

    def terminate(self) -> None:
        """The server is about to stop: no service serves, watchers are told."""
        self._phase = "terminating"
        self._set_all(False)

    def close(self) -> None:
        """End every watch: an open one would hold up a gRPC server's stop (grpc.aio waits for it)."""
        self._phase = "stopped"
        self._set_all(False)

    async def watch(self, service: str) -> AsyncIterator[bool | None]:
        """The service's status now and after each change, without repeats; ends when the server stops.

        A slow watcher misses states in between, never the last one.
        """
        unseen = object()
        last: object = unseen
        while True:
            changed = self._changed
            now = self.status(service)
            if now is not last:
                last = now
                yield now
                continue  # it may have changed while the watcher was busy
            if self._phase == "stopped":
                return
            await changed.wait()

    def report(self) -> Report:
        """A picture of the whole, for `/healthz`."""
        services = {name: serving for name, serving in self._serving.items() if name != WHOLE_SERVER}
        return Report(self._phase, self.ready, services)

    def _set_all(self, serving: bool) -> None:
        for service in self._serving:
            self._serving[service] = serving
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
