"""The REST port's own pages: the OpenAPI document, and the page to read it, as HTTP has them."""

from __future__ import annotations

import gzip
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.runtime.wire_service import ROUTES, Wire, definition, route, serving

DOCUMENT = b'{"openapi": "3.1.0"}' + b" " * 2000
ASSETS = ("/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/docs/favicon-32x32.png", "/docs/start.js")


@asynccontextmanager
async def client(folder: Path, *more: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service with a document; it has routes at `more` as well."""
    document = folder / "openapi.json"
    document.write_bytes(DOCUMENT)
    what = definition((*ROUTES, *(route("GET", path) for path in more)))
    async with serving(Wire(), replace(what, openapi=document)) as served:
        yield served.http


async def test_the_document_is_served_as_it_is(tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        answer = await http.get("/openapi.json")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        assert answer.content == DOCUMENT
        head = await http.head("/openapi.json")
        assert (head.status_code, head.content) == (200, b"")


async def test_a_page_is_compressed_for_those_who_take_it(tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        async with http.stream("GET", "/openapi.json", headers={"accept-encoding": "gzip"}) as answer:
            raw = b"".join([piece async for piece in answer.aiter_raw()])
        assert answer.headers["content-encoding"] == "gzip"
        assert gzip.decompress(raw) == DOCUMENT
        plain = await http.get("/openapi.json", headers={"accept-encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.headers["vary"] == "accept-encoding"


async def test_a_page_that_the_caller_has_is_not_sent_again(tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        for path in ("/openapi.json", "/docs", *ASSETS):
            etag = (await http.get(path)).headers["etag"]
            again = await http.get(path, headers={"if-none-match": etag})
            assert (again.status_code, again.content) == (304, b"")
            assert (await http.get(path, headers={"if-none-match": 'W/"other"'})).status_code == 200


async def test_the_page_and_what_it_loads_are_there_and_may_load_nothing_else(tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        page = await http.get("/docs")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "//" not in page.text
        for asset in ASSETS:
            assert asset.removeprefix("/") in page.text
            answer = await http.get(asset)
            assert (answer.status_code, answer.headers["x-content-type-options"]) == (200, "nosniff")
        moved = await http.get("/docs/")
        assert (moved.status_code, moved.headers["location"]) == (308, "../docs")
        assert (await http.get("/docs/../secrets")).status_code == 404


async def test_a_page_is_served_under_get_and_head_only(tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        refused = await http.post("/docs", content=b"x")
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
        asked = await http.options("/openapi.json")
        assert (asked.status_code, asked.headers["allow"]) == (204, "GET, HEAD, OPTIONS")


async def test_a_route_of_the_contract_goes_first(tmp_path: Path) -> None:
    async with client(tmp_path, "/docs") as http:
        assert (await http.get("/docs")).json() == {}
        assert (await http.get("/openapi.json")).content == DOCUMENT


async def test_without_the_viewers_package_there_is_the_document_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "swagger_ui", None)  # as Python marks what is not to be imported
    async with client(tmp_path) as http:
        for path in ("/docs", *ASSETS):
            assert (await http.get(path)).status_code == 404
        assert (await http.get("/openapi.json")).status_code == 200


async def test_without_a_document_there_are_no_pages() -> None:
    async with serving(Wire()) as served:
        for path in ("/openapi.json", "/docs", "/docs/", *ASSETS):
            assert (await served.http.get(path)).status_code == 404
