"""The innermost endpoint of an HTTP call: one attempt on the wire, by aiohttp. Emitted only where the spec has use for it."""

from __future__ import annotations

import base64
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import aiohttp
from grpc import StatusCode
from yarl import URL

from ..clock import Timer
from ..errors import DependencyError
from ..metadata import Metadata
from ..snapshot import DependencyPolicy
from ..starting import StartError
from ..targets import target_of, target_variable
from ..watched_files import WatchedFiles
from .connecting import Connecting
from .environment import Dependency, Outbound, Target
from .http_client import HttpConnection
from .http_request import HttpRequest, base_of
from .http_response import HttpResponse, failure
from .interruption import Interruption
from .outgoing import Outgoing
from .peer_errors import PeerErrors
from .reachability import Probe, tcp
from .renewed import Renewed
from .tls import ClientMaterial, watched

MAX_CONNECTIONS: Final = 100
"""Of one client, unless bulkheads let through more; a call that needs one more waits for it, within its own time."""

_EARLY: Final = 0.01
"""Seconds before the end of its time at which an attempt counts as out of it: two clocks are compared."""

_OF_THE_CONNECTION: Final = frozenset(
    {"connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""Headers that say how this very request is sent: nobody else's to hand on."""

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_MAX_ERROR_BYTES: Final = 64 << 10
"""Of an error's body; one that is longer says nothing."""


_Files = WatchedFiles[ClientMaterial]


class _BrokenError(Exception):
    """The connection did not carry the request, or not the answer's head."""


class Session:
    """One pool of connections, and the requests that are on their way over it; it keeps no cookies."""

    __slots__ = ("_running", "_session", "calls", "drained", "request")

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.calls = 0
        self.drained: Timer | None = None
        self.request = session.request
        self._session = session
        self._running: set[Interruption] = set()

    @property
    def closed(self) -> bool:
        """Whether no request can be made over it any more."""
        return self._session.closed

    @contextmanager
    def running(self) -> Iterator[None]:
        """A request is on its way in it. Raises _BrokenError when the pool is closed meanwhile.

        (aiohttp would tell nobody who waits for the rest of an answer.)
        """
        closing = Interruption(_BrokenError("its connections were closed"))
        self._running.add(closing)
        try:
            with closing:
                yield
        finally:
            self._running.discard(closing)

    async def close(self) -> None:
        """Close its connections; requests that are still on their way fail."""
        if self.drained is not None:
            self.drained.cancel()
        for closing in tuple(self._running):
            closing.interrupt()
        await self._session.close()


class HttpTransport:
    """Makes attempts over the pool of their time.

    A request that may be repeated goes out once more where its connection had been idle and turns out to be lost: the
    peer may have closed it just then. Source: RFC 9112, section 9.3.1.
    """

    __slots__ = (
        "_base",
        "_clock",
        "_connect_timeout",
        "_dependency",
        "_errors",
        "_files",
        "_max_bytes",
        "_repeatable",
        "_server_name",
        "_sessions",
    )

    def __init__(
        self,
        dependency: Dependency,
        target: Target,
        base: str,
        sessions: Renewed[Session],
        files: _Files | None,
        errors: PeerErrors,
    ) -> None:
        self._errors = errors
        self._files = files
        self._dependency = dependency.name
        self._repeatable = target.repeatable
        self._base = base
        self._sessions = sessions
        self._connect_timeout = target.policy.connect_timeout
        self._max_bytes = dependency.policy.max_response_bytes
        self._clock = dependency.outbound.clock
        tls = dependency.policy.tls
        self._server_name = None if tls is None else tls.server_name or None

    async def __call__(self, outgoing: Outgoing) -> None:
        session = self._sessions.take()
        try:
            with session.running():
                outgoing.response = await self._response(outgoing, session)
        except _BrokenError as error:
            raise self._failed(outgoing, StatusCode.UNAVAILABLE, str(error), broken=True) from error
        except TimeoutError as error:
            raise self._late(outgoing) from error
        except aiohttp.ClientPayloadError as error:
            raise self._failed(outgoing, StatusCode.UNAVAILABLE, "the answer was cut off", broken=True) from error
        except aiohttp.ClientError as error:
            raise self._failed(outgoing, StatusCode.INTERNAL, "the answer is no HTTP") from error
        finally:
            self._sessions.give_back(session)

    async def _response(self, outgoing: Outgoing, session: Session) -> HttpResponse:
        """The answer to the request, or the last one to what it was redirected to."""
        request: HttpRequest = outgoing.given
        url = URL(self._base + request.target, encoded=True)
        response = await self._exchange(outgoing, url, session)
        for _ in range(request.redirects):
            further = _further(response, url)
            if further is None:
                break
            url = further
            response = await self._exchange(outgoing, url, session)
        return response

    async def _exchange(self, outgoing: Outgoing, url: URL, session: Session) -> HttpResponse:
        connecting = Connecting(self._connect_timeout, self._clock)
        try:
            return await self._send(outgoing, url, session, connecting)
        except _BrokenError:
            if not connecting.reused or not self._repeatable or session.closed:
                raise
        return await self._send(outgoing, url, session, Connecting(self._connect_timeout, self._clock))

    async def _send(self, outgoing: Outgoing, url: URL, session: Session, connecting: Connecting) -> HttpResponse:
        request: HttpRequest = outgoing.given
        until = outgoing.attempt_until
        allowed = None if until is None else until - self._clock.now()
        if allowed is not None and allowed <= 0:
            text = "its time was up before it went out"
            raise self._failed(outgoing, StatusCode.DEADLINE_EXCEEDED, text, expired=True, final=True)
        with connecting:
            async with session.request(
                request.verb,
                url,
                data=request.body,
                headers=_headers(outgoing, allowed),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(allowed, ceil_threshold=1e9),
                ssl=True if self._files is None else self._files.current().context,
                server_hostname=self._server_name,
                trace_request_ctx=connecting,
            ) as response:
                headers = Metadata(response.headers.items())
                failed = response.status >= 400
                content = await _content(response, _MAX_ERROR_BYTES if failed else self._max_bytes)
        if failed:
            raise failure(
                self._dependency, outgoing.path, response.status, headers, content or b"", self._errors, time.time
            )
        if content is None:
            text = f"the answer is larger than {self._max_bytes} bytes"
            raise self._failed(outgoing, StatusCode.RESOURCE_EXHAUSTED, text, http=response.status, final=True)
        return HttpResponse(response.status, content, headers, self._dependency, outgoing.path)

    def _late(self, outgoing: Outgoing) -> DependencyError:
        """What it means that a timeout has run out: the call's, the attempt's, or that of the connection alone."""
        now = self._clock.now() + _EARLY
        if outgoing.until is not None and now >= outgoing.until:
            return self._failed(outgoing, StatusCode.DEADLINE_EXCEEDED, "no answer in time", expired=True, final=True)
        if outgoing.attempt_until is not None and now >= outgoing.attempt_until:
            text = "no answer in time"
            return self._failed(outgoing, StatusCode.DEADLINE_EXCEEDED, text, attempt_expired=True, broken=True)
        return self._failed(outgoing, StatusCode.UNAVAILABLE, "no connection in time", broken=True)

    def _failed(self, outgoing: Outgoing, code: StatusCode, text: str, **details: Any) -> DependencyError:
        return DependencyError(self._dependency, code, text, method=outgoing.path, **details)


@asynccontextmanager
async def connection(dependency: str, outbound: Outbound) -> AsyncIterator[HttpConnection]:
    """A connection to the dependency: made at the first call, kept, made again when it breaks, closed at the end.

    Raises StartError where the environment says no URL.
    """
    policy = outbound.policies.dependencies[dependency]
    target = target_of(dependency, policy, outbound.environ)
    try:
        base = base_of(target, secure=policy.tls is not None)
    except ValueError as error:
        raise StartError(f"{target_variable(dependency)}, the address of {dependency}: {error}") from None
    url = URL(base)
    context = ssl.create_default_context() if base.startswith("https:") else True
    files = None if policy.tls is None else watched(dependency, policy.tls)
    outbound.probes.append(
        Probe(dependency, policy.optional, lambda within: tcp(url.host or "", url.port or 0, within))
    )
    called = Dependency(dependency, policy, outbound)

    def opened() -> Session:
        return Session(
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_most_connections(policy), ssl=context),
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("content-type",),
                trace_configs=[_telling()],
                middlewares=(_once,),
            )
        )

    kept = policy.channel
    sessions = Renewed(opened, kept.max_connection_age, kept.max_connection_age_grace, outbound.clock)
    propagate = frozenset(outbound.policies.observability.propagate)

    def transport(target: Target, errors: PeerErrors) -> HttpTransport:
        return HttpTransport(called, target, base, sessions, files, errors)

    try:
        yield HttpConnection(called, propagate, transport)
    finally:
        await called.close()
        await sessions.close()


def _most_connections(policy: DependencyPolicy) -> int:
    """As many as bulkheads let through, where those say more."""
    bulkheads = [each.bulkhead for each in (policy.calls, *policy.methods.values()) if each.bulkhead is not None]
    return max(MAX_CONNECTIONS, sum(bulkhead.max_concurrent_calls for bulkhead in bulkheads))


async def _once(
    request: aiohttp.ClientRequest, handler: Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]]
) -> aiohttp.ClientResponse:
    """Sends a request; a connection that breaks is an error of ours.

    (aiohttp would send what is idempotent a second time, over whichever connection it was, and tell nobody.)
    """
    try:
        return await handler(request)
    except aiohttp.ConnectionTimeoutError:
        raise
    except aiohttp.ClientConnectorError as error:
        raise _BrokenError("it was not reached") from error
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _BrokenError("the connection was lost") from error


def _telling() -> aiohttp.TraceConfig:
    """Tells each request of its connection."""

    async def reused(_: aiohttp.ClientSession, context: Any, __: object) -> None:
        context.trace_request_ctx.reused = True

    async def begun(_: aiohttp.ClientSession, context: Any, __: object) -> None:
        context.trace_request_ctx.begin()

    async def made(_: aiohttp.ClientSession, context: Any, __: object) -> None:
        context.trace_request_ctx.end()

    config = aiohttp.TraceConfig()
    config.on_connection_reuseconn.append(reused)
    config.on_connection_create_start.append(begun)
    config.on_connection_create_end.append(made)
    return config


def _further(response: HttpResponse, url: URL) -> URL | None:
    """Where a redirect leads; None for what is none, and for one that leads away from the dependency."""
    location = response.headers.text("location")
    if response.status not in _REDIRECTS or not location:
        return None
    try:
        further = url.join(URL(location))
        near = further.origin() == url.origin() and further.user is None
    except ValueError:
        return None
    return further if near else None


async def _content(response: aiohttp.ClientResponse, most: int) -> bytes | None:
    """The content, None for more than `most` bytes: what is on its way then is not waited for."""
    content = bytearray()
    async for piece in response.content.iter_any():
        content += piece
        if len(content) > most:
            return None
    return bytes(content)


def _headers(outgoing: Outgoing, allowed: float | None) -> list[tuple[str, str]]:
    request: HttpRequest = outgoing.given
    headers = [
        (name, value if isinstance(value, str) else base64.b64encode(value).decode())
        for name, value in outgoing.metadata
        if name not in _OF_THE_CONNECTION and not name.startswith("grpc-")
    ]
    if request.content_type and not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", request.content_type))
    if outgoing.attempt > 1:
        headers.append(("grpc-previous-rpc-attempts", str(outgoing.attempt - 1)))
    if allowed is not None:
        headers.append(("grpc-timeout", timeout_text(allowed)))
    return headers


def timeout_text(seconds: float) -> str:
    """The seconds as a `grpc-timeout`: whole milliseconds, rounded down, or seconds where those have too many digits."""
    milliseconds = max(1, int(seconds * 1000))
    return f"{milliseconds}m" if milliseconds < 10**8 else f"{min(int(seconds), 10**8 - 1)}S"
