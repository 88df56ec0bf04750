"""The REST port's own pages: the OpenAPI document at /openapi.json, and at /docs a page to read it and to send requests.

The page is Swagger UI out of an installed package; nothing of it comes from the network. All is read when it is first
asked for, and kept.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Final

from .compression import LEAST, takes_gzip
from .exchange import Exchange, RawHeader

DOCUMENT: Final = "/openapi.json"
VIEWER: Final = "/docs"
PAGE_METHODS: Final = ("GET", "HEAD")

_PACKAGE = "swagger_ui"
_ASSETS = MappingProxyType(
    {
        "swagger-ui.css": b"text/css; charset=utf-8",
        "swagger-ui-bundle.js": b"text/javascript; charset=utf-8",
        "favicon-32x32.png": b"image/png",
    }
)
_HTML = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = b"""\
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  validatorUrl: null,
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  defaultModelsExpandDepth: 0,
});
"""
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_COMMON: Final[list[RawHeader]] = [
    (b"cache-control", b"no-cache"),  # kept, and asked for again: a 304 costs nothing
    (b"vary", b"accept-encoding"),
    (b"x-content-type-options", b"nosniff"),
]


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it is sent; `packed` is its body under gzip, None where that is no gain."""

    headers: tuple[RawHeader, ...]
    etag: bytes
    body: bytes
    packed: bytes | None


class Pages:
    """The pages by path, each made when it is first asked for."""

    def __init__(self, name: str, document: Path | None, taken: Callable[[str], bool]) -> None:
        """Without a `document` there is none; a path that is `taken` by a route is that route's."""
        self._name = name
        self._document = document
        self._made: dict[str, Page] = {}
        paths = [] if document is None else [DOCUMENT, VIEWER, f"{VIEWER}/", f"{VIEWER}/start.js"]
        paths += [f"{VIEWER}/{asset}" for asset in _ASSETS] if paths else []
        self.paths = frozenset(path for path in paths if not taken(path))

    async def answer(self, exchange: Exchange, path: str, asked: Mapping[bytes, bytes]) -> bool:
        """Send the page, or say that the caller's is the same; False where its package is not installed.

        `asked` are the request's headers.
        """
        if path == f"{VIEWER}/":
            await exchange.respond(308, [(b"location", b"../docs")], b"")
            return True
        page = self._made.get(path)
        if page is None:
            page = await asyncio.to_thread(self._make, path)
            if page is None:
                return False
            self._made[path] = page
        headers = [*page.headers, *_COMMON, (b"etag", page.etag)]
        if page.etag in asked.get(b"if-none-match", b""):
            await exchange.start(304, headers)
            await exchange.end()
        elif page.packed is not None and takes_gzip(asked.get(b"accept-encoding", b"").decode("latin-1")):
            await exchange.respond(200, [*headers, (b"content-encoding", b"gzip")], page.packed)
        else:
            await exchange.respond(200, headers, page.body)
        return True

    def _make(self, path: str) -> Page | None:
        if path == DOCUMENT and self._document is not None:
            return _page(b"application/json", self._document.read_bytes())
        folder = _assets()
        if folder is None:
            return None
        if path == VIEWER:
            html = _HTML.format(title=escape(self._name)).encode()
            return _page(b"text/html; charset=utf-8", html, (b"content-security-policy", _POLICY))
        name = path.rpartition("/")[2]
        if name == "start.js":
            return _page(b"text/javascript; charset=utf-8", _START)
        return _page(_ASSETS[name], (folder / name).read_bytes())


def _assets() -> Path | None:
    """Where Swagger UI is installed, None where it is not. The package is found, never imported."""
    found = find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0]) / "static"


def _page(content_type: bytes, body: bytes, *headers: RawHeader) -> Page:
    etag = b'W/"%b"' % hashlib.blake2b(body, digest_size=12).hexdigest().encode()
    packed = gzip.compress(body, 6, mtime=0) if len(body) >= LEAST else None
    if packed is not None and len(packed) >= len(body):
        packed = None
    return Page(((b"content-type", content_type), *headers), etag, body, packed)
