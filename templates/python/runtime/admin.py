"""The admin port: liveness, readiness, health in detail, metrics, and the resolved policies."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import re
import socket
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote

import orjson

from .breakers import ACTIONS, Operate
from .health import Report
from .loggable import json_line
from .snapshot import Snapshot

Exposition = Callable[[], tuple[str, bytes]]

_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"
_MAX_HEAD: Final = 16 << 10  # bytes of a request's line and headers
_KEEP_ALIVE: Final = 75.0  # seconds from a connection's opening, or its last answer, to the end of the next head
_END_SECONDS: Final = 1.0
_BREAKERS: Final = "/breakers"
_CREDENTIALS = re.compile(rb"://[^/@\"\s]+@([^@\"\s]*)")

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A page as it is sent."""

    status: int
    kind: str  # its content type
    body: bytes
    allow: str = ""  # the HTTP methods that it has

    def head(self, *, lasting: bool) -> bytes:
        """The status line and the headers; without `lasting`, the connection ends with this answer."""
        lines = [
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}",
            f"date: {formatdate(usegmt=True)}",
            f"content-type: {self.kind}",
            f"content-length: {len(self.body)}",
            "cache-control: no-store",
        ]
        if self.allow:
            lines.append(f"allow: {self.allow}")
        if not lasting:
            lines.append("connection: close")
        return "\r\n".join([*lines, "", ""]).encode()


_BAD_REQUEST: Final = Answer(400, _TEXT, b"bad request\n")
_FOREIGN: Final = Answer(403, _TEXT, b"not for web pages\n")


class Admin:
    """The admin port's pages by path. `exposition` None means that metrics are off."""

    def __init__(
        self,
        report: Callable[[], Report],
        config: bytes,
        exposition: Exposition | None,
        detail: Callable[[], Mapping[str, object]],
        operate: Operate,
    ) -> None:
        self._report = report
        self._config = config
        self._exposition = exposition
        self._detail = detail
        self._operate = operate
        self._pages: Mapping[str, Callable[[], Awaitable[Answer]]] = {
            "/livez": self._live,
            "/readyz": self._ready,
            "/healthz": self._health,
            "/metrics": self._metrics,
            "/config": self._shown_config,
            _BREAKERS: self._breakers,
        }

    async def __call__(self, verb: str, path: str) -> Answer:
        """What is answered to a request."""
        page = self._pages.get(path)
        if page is None and path.startswith(f"{_BREAKERS}/"):
            return await self._told(verb, unquote(path.removeprefix(f"{_BREAKERS}/")))
        if page is None:
            return Answer(404, _TEXT, "\n".join(["not found; there are:", *self._pages, ""]).encode())
        if verb not in ("GET", "HEAD"):
            return Answer(405, _TEXT, b"method not allowed\n", allow="GET, HEAD")
        return await page()

    async def _live(self) -> Answer:
        return Answer(200, _TEXT, b"ok\n")

    async def _ready(self) -> Answer:
        report = self._report()
        return Answer(200, _TEXT, b"ok\n") if report.ready else Answer(503, _TEXT, f"{report.phase}\n".encode())

    async def _health(self) -> Answer:
        report = self._report()
        services = {name: "SERVING" if serving else "NOT_SERVING" for name, serving in report.services.items()}
        detail = {"phase": report.phase, "ready": report.ready, "services": services, **self._detail()}
        return Answer(200 if report.ready else 503, _JSON, json_line(detail))

    async def _metrics(self) -> Answer:
        if self._exposition is None:
            return Answer(404, _TEXT, b"metrics are off: spec.observability.metrics\n")
        kind, body = await asyncio.to_thread(self._exposition)  # thousands of series take a while
        return Answer(200, kind, body)

    async def _shown_config(self) -> Answer:
        return Answer(200, _JSON, self._config)

    async def _breakers(self) -> Answer:
        return Answer(200, _JSON, json_line(await self._operate("", "") or {}))

    async def _told(self, verb: str, path: str) -> Answer:
        """The operator's word to one breaker: its name, and what to do."""
        name, _, action = path.rpartition("/")
        if not name or action not in ACTIONS:
            return Answer(404, _TEXT, f"not found; POST {_BREAKERS}/NAME/{'|'.join(ACTIONS)}\n".encode())
        if verb != "POST":
            return Answer(405, _TEXT, b"method not allowed\n", allow="POST")
        states = await self._operate(name, action)
        if states is None:
            return Answer(404, _TEXT, f"there is no such breaker; GET {_BREAKERS} lists them\n".encode())
        return Answer(200, _JSON, json_line(states))


class AdminServer:
    """Serves the admin pages on their port, over HTTP/1.1: requests without a body, one after the other on a connection."""

    def __init__(self, admin: Admin, host: str, port: int) -> None:
        self._admin = admin
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[Any]] = set()
        self._idle: set[asyncio.Task[Any]] = set()  # of them, those that wait for a request

    async def start(self) -> int:
        """Bind and listen; returns the port. Raises OSError where the address cannot be had."""
        listener = listen(self._host, self._port)
        self._server = await asyncio.start_server(self._serve, sock=listener, limit=_MAX_HEAD)
        port: int = listener.getsockname()[1]
        return port

    async def stop(self) -> None:
        """Close the port and its connections; pages that are being made get a moment to leave."""
        if self._server is None:
            return
        self._server.close()
        for task in self._idle:
            task.cancel()
        if self._connections:
            _, late = await asyncio.wait(self._connections, timeout=_END_SECONDS)
            for task in late:
                task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task: Any = asyncio.current_task()
        self._connections.add(task)
        lasting = True
        try:
            while lasting:
                self._idle.add(task)
                async with asyncio.timeout(_KEEP_ALIVE):
                    lasting = await self._answer(reader, writer, task)
        except (asyncio.CancelledError, asyncio.IncompleteReadError, TimeoutError, ConnectionError):
            pass  # over; a task that ends as cancelled would have asyncio log so
        finally:
            self._idle.discard(task)
            self._connections.discard(task)
            writer.close()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, task: asyncio.Task[Any]
    ) -> bool:
        """Answer one request; whether the connection goes on."""
        try:
            line, *rest = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
            verb, target, version = line.decode("ascii").split(" ")
            headers = dict(_header(each) for each in rest if each)
        except (ValueError, asyncio.LimitOverrunError):
            writer.write(_BAD_REQUEST.head(lasting=False) + _BAD_REQUEST.body)
            return False
        self._idle.discard(task)
        # Web pages may send what changes nothing alone: they can reach a port of this machine from anywhere.
        foreign = b"origin" in headers and verb not in ("GET", "HEAD")
        answer = _FOREIGN if foreign else await self._page(verb, target.partition("?")[0])
        # What comes with a request's body is not read: the connection ends with the answer.
        bare = b"transfer-encoding" not in headers and headers.get(b"content-length", b"0") == b"0"
        lasting = bare and version == "HTTP/1.1" and headers.get(b"connection", b"").lower() != b"close"
        lasting = lasting and self._server is not None and self._server.is_serving()
        writer.write(answer.head(lasting=lasting) + (b"" if verb == "HEAD" else answer.body))
        await writer.drain()
        return lasting

    async def _page(self, verb: str, path: str) -> Answer:
        try:
            return await self._admin(verb, path)
        except Exception:  # noqa: BLE001 - the last resort
            _log.exception("%s of the admin port could not be made", path)
            return Answer(500, _TEXT, b"internal error\n")


def _header(line: bytes) -> tuple[bytes, bytes]:
    """The name, in lower case, and the value. Raises ValueError for a line that is no header."""
    name, value = line.split(b":", 1)
    return name.lower(), value.strip()


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
