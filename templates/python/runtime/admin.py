"""The admin port: liveness, readiness, health in detail, metrics, and the resolved policies."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import re
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from typing import Any

import orjson
import uvicorn

from .health import Report
from .loggable import json_line
from .snapshot import Snapshot

Exposition = Callable[[], tuple[str, bytes]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_Answer = tuple[int, str, bytes]

_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"
_CREDENTIALS = re.compile(rb"://[^/@\"\s]+@([^@\"\s]*)")


class Admin:
    """The admin port's pages as an ASGI application. `exposition` None means that metrics are off."""

    def __init__(
        self,
        report: Callable[[], Report],
        config: bytes,
        exposition: Exposition | None,
        detail: Callable[[], Mapping[str, object]] = dict,
    ) -> None:
        self._report = report
        self._config = config
        self._exposition = exposition
        self._detail = detail
        self._pages: Mapping[str, Callable[[], Awaitable[_Answer]]] = {
            "/livez": self._live,
            "/readyz": self._ready,
            "/healthz": self._health,
            "/metrics": self._metrics,
            "/config": self._shown_config,
        }

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        page = self._pages.get(scope["path"])
        headers: list[tuple[bytes, bytes]] = [(b"cache-control", b"no-store")]
        if page is None:
            status, kind, body = 404, _TEXT, "\n".join(["not found; there are:", *self._pages, ""]).encode()
        elif scope["method"] not in ("GET", "HEAD"):
            status, kind, body = 405, _TEXT, b"method not allowed\n"
            headers.append((b"allow", b"GET, HEAD"))
        else:
            status, kind, body = await page()
        headers += [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _live(self) -> _Answer:
        return 200, _TEXT, b"ok\n"

    async def _ready(self) -> _Answer:
        report = self._report()
        return (200, _TEXT, b"ok\n") if report.ready else (503, _TEXT, f"{report.phase}\n".encode())

    async def _health(self) -> _Answer:
        report = self._report()
        services = {name: "SERVING" if serving else "NOT_SERVING" for name, serving in report.services.items()}
        detail = {"phase": report.phase, "ready": report.ready, "services": services, **self._detail()}
        return 200 if report.ready else 503, _JSON, json_line(detail)

    async def _metrics(self) -> _Answer:
        if self._exposition is None:
            return 404, _TEXT, b"metrics are off: spec.observability.metrics\n"
        kind, body = await asyncio.to_thread(self._exposition)  # thousands of series take a while
        return 200, kind, body

    async def _shown_config(self) -> _Answer:
        return 200, _JSON, self._config


class EmbeddedServer(uvicorn.Server):
    """A uvicorn server that leaves the process's signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing: the lifecycle has the signals."""
        yield


class AdminServer:
    """Serves the admin application on its port."""

    def __init__(self, admin: Admin, host: str, port: int) -> None:
        config = uvicorn.Config(
            admin,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        self._host = host
        self._port = port
        self._server = EmbeddedServer(config)
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """Bind and listen; returns the port. Raises OSError where the address cannot be had."""
        listener = listen(self._host, self._port)
        self._serving = asyncio.ensure_future(self._server.serve(sockets=[listener]))
        port: int = listener.getsockname()[1]
        return port

    async def stop(self) -> None:
        """Close the port and its connections."""
        if self._serving is not None:
            self._server.should_exit = True
            await self._serving


def listen(host: str, port: int, *, reuse_port: bool = False) -> socket.socket:
    """A bound socket, which other processes may share with `reuse_port`. Made with IPPROTO_TCP: asyncio sets TCP_NODELAY on no other. Raises OSError."""
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    listener = socket.socket(family, kind, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listener


def config_of(name: str, policies: Snapshot) -> bytes:
    """What `/config` shows: the resolved policies and their hash, without the credentials a target's URL may hold."""
    shown = {"name": name, "hash": policies.hash, "policies": dataclasses.asdict(policies)}
    text = orjson.dumps(shown, default=_plain, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return _CREDENTIALS.sub(rb"://\1", text)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    return str(value)
