"""CORS: which web pages may read the answers (Fetch standard, section 3.2, "CORS protocol")."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeAlias

from ..snapshot import CorsPolicy
from .exchange import Exchange, RawHeader
from .http_head import TAKEN_IN, RawHeaders

App: TypeAlias = Callable[[Exchange], Awaitable[None]]
MethodsAt: TypeAlias = Callable[[str], tuple[str, ...]]

_USUAL = ("content-type", "grpc-timeout", "x-server-timeout", *TAKEN_IN)
_METADATA = "grpc-metadata-"
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, section 5.6.2
_VARY_ORIGIN: RawHeader = (b"vary", b"origin")
_VARY_PREFLIGHT: RawHeader = (b"vary", b"access-control-request-method, access-control-request-headers")
_CREDENTIALS: RawHeader = (b"access-control-allow-credentials", b"true")


class CorsApp:
    """An application that tells browsers which pages may see its answers.

    It refuses nothing: a page from elsewhere gets an answer that its browser keeps from it, and no permission to send
    what needs one. Preflights of known paths are answered here; `methods_at` gives the HTTP methods of a raw path,
    "*" for any, none where the path is unknown.
    """

    def __init__(self, app: App, methods_at: MethodsAt, policy: CorsPolicy, taken_in: Iterable[str]) -> None:
        self._app = app
        self._methods_at = methods_at
        self._origins = frozenset(policy.allow_origins)
        self._any_origin = "*" in policy.allow_origins
        self._any_header = "*" in policy.allow_headers
        names = (*_USUAL, *taken_in, *policy.allow_headers)
        self._names = tuple(dict.fromkeys(name.lower() for name in names if name != "*"))
        self._max_age: RawHeader = (b"access-control-max-age", b"%d" % policy.max_age)
        self._granted: list[RawHeader] = [_CREDENTIALS] if policy.allow_credentials else []
        exposed = ", ".join(policy.expose_headers).encode()
        self._exposed: list[RawHeader] = [(b"access-control-expose-headers", exposed)] if exposed else []

    async def __call__(self, exchange: Exchange) -> None:
        """Serve one request."""
        asked = _asked(exchange.headers)
        origin = asked.get(b"origin", "")
        if exchange.verb == "OPTIONS" and origin and (method := asked.get(b"access-control-request-method")):
            methods = self._methods_at(exchange.path)
            if methods:
                wanted = asked.get(b"access-control-request-headers", "")
                await exchange.respond(204, self._preflight(origin, method, methods, wanted), b"")
                return
        exchange.added = self._allowed(origin, self._exposed)
        await self._app(exchange)

    def _allowed(self, origin: str, more: list[RawHeader]) -> list[RawHeader]:
        """The headers of any answer to that origin ("" for a caller that is no page); `more` where it is allowed."""
        if self._any_origin:
            return [(b"access-control-allow-origin", b"*"), *more]
        if origin not in self._origins:
            return [_VARY_ORIGIN]
        return [(b"access-control-allow-origin", origin.encode("latin-1")), _VARY_ORIGIN, *self._granted, *more]

    def _preflight(self, origin: str, method: str, methods: tuple[str, ...], wanted: str) -> list[RawHeader]:
        served = [method] if methods == ("*",) and _TOKEN.fullmatch(method) else methods
        names = dict.fromkeys((*self._names, *filter(self._takes, _listed(wanted))))
        more = [
            (b"access-control-allow-methods", ", ".join(served).encode()),
            (b"access-control-allow-headers", ", ".join(names).encode()),
            self._max_age,
        ]
        return [*self._allowed(origin, more), _VARY_PREFLIGHT]

    def _takes(self, name: str) -> bool:
        """Whether a request header beyond the named ones may be sent."""
        return self._any_header or name.startswith(_METADATA)


def _asked(headers: RawHeaders) -> dict[bytes, str]:
    """The headers that CORS is about, by their lower-case names."""
    return {name: value.decode("latin-1") for name, value in headers if name in _ASKED}


_ASKED = frozenset({b"origin", b"access-control-request-method", b"access-control-request-headers"})


def _listed(text: str) -> list[str]:
    names = (name.strip().lower() for name in text.split(","))
    return [name for name in names if _TOKEN.fullmatch(name)]
