"""Whatever is sent to the REST port: an answer that HTTP and the error shape allow, never a 5xx, and the next call is served.

Under `make fuzz` that is 160,000 requests and as many pieces of noise. What they find becomes a row of the tables in
`test_rest_abuse.py` and `test_rest_requests.py`.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from runtime.testing import no_descriptor_left

from tests.runtime.wire_service import ROUTES, Item, Wire, definition, rest_policy, serving

LIMIT = 20_000  # bytes of a body
BATCH = 8  # requests of an example
PATIENCE = 30.0  # seconds
FINE = {200, 204}
REFUSED = {400, 404, 405, 413, 415, 426, 431}


class Answering(Wire):
    """Echoes, but for what it could not write: an echo of a request is not always a response."""

    async def unary(self, request: Any, call: Any) -> Any:
        return Item(name=request.name[:10])

    async def deposit(self, requests: AsyncIterator[Any], call: Any) -> Any:
        return Item(i32=len([part async for part in requests]))


@dataclass
class Client:
    """Blocking requests on a connection that is opened again when the service has closed it."""

    port: int
    connection: socket.socket | None = None
    buffer: bytes = b""

    def send(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """The answer's status, headers and body."""
        if self.connection is None:
            self.connection, self.buffer = socket.create_connection(("127.0.0.1", self.port), PATIENCE), b""
        self.connection.sendall(request)
        head = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:-2])}
        status = int(head[0].split()[1])
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self._until(b"\r\n"), 16):
                body += self._exactly(size)
                self._exactly(2)
            self._exactly(2)
        else:
            body = b"" if request.startswith(b"HEAD") else self._exactly(int(headers.get("content-length", 0)))
        if headers.get("connection") == "close":
            self.close()
        return status, headers, body

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            self._receive()
        found, _, self.buffer = self.buffer.partition(mark)
        return found + mark

    def _exactly(self, size: int) -> bytes:
        while len(self.buffer) < size:
            self._receive()
        found, self.buffer = self.buffer[:size], self.buffer[size:]
        return found

    def _receive(self) -> None:
        assert self.connection is not None
        piece = self.connection.recv(1 << 16)
        assert piece, f"closed after {self.buffer!r}"
        self.buffer += piece


@pytest.fixture(autouse=True)
def nothing_left() -> None:
    """Connections come and go with what is sent over them: here the last test leaves nothing, not each."""


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A client of a service in another thread."""
    ports: list[int] = []
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    ready = threading.Event()

    async def serve() -> None:
        async with serving(Answering(), definition(**rest_policy(max_body_bytes=LIMIT))) as served:
            done = asyncio.Event()
            loops.append((asyncio.get_running_loop(), done))
            ports.append(served.rest_port)
            ready.set()
            await done.wait()

    with no_descriptor_left():
        thread = threading.Thread(target=asyncio.run, args=(serve(),))
        thread.start()
        assert ready.wait(PATIENCE)
        client = Client(ports[0])
        yield client
        client.close()
        (loop, done), *_ = loops
        loop.call_soon_threadsafe(done.set)
        thread.join()


NAMES = [field.name for field in Item.DESCRIPTOR.fields] + [field.json_name for field in Item.DESCRIPTOR.fields]
TEXTS = st.one_of(
    st.sampled_from(
        ["", "0", "-1", "1e400", "NaN", "true", "RED", "7", "AAA=", "1.5s", "1970-01-01T00:00:05Z", "a.b,cD"]
    ),
    st.text(max_size=12),
)
JUNK = st.binary(max_size=12).map(lambda raw: raw.decode("latin-1").translate({ord(c): None for c in "\r\n \x00"}))
ESCAPED = st.one_of(TEXTS.map(lambda text: quote(text, safe="")), st.text("%20aF/:*.+", max_size=12))


@st.composite
def paths(draw: st.DrawFn) -> str:
    """The path of a route with its variables filled in, or something like one."""
    route = draw(st.sampled_from(ROUTES))
    path = "/" + "/".join(draw(ESCAPED) if segment in ("*", "**") else segment for segment in route.segments)
    path += f":{route.suffix}" if route.suffix else ""
    return path + draw(st.sampled_from(["", "", "", "", "/", "/x", ":y", "%", "//"]))


@st.composite
def queries(draw: st.DrawFn) -> str:
    names = st.one_of(
        st.sampled_from([*NAMES, "inner.name", "inner.child.size", "$fields", "$alt", "$prettyPrint"]), ESCAPED
    )
    pairs = draw(st.lists(st.tuples(names, ESCAPED), max_size=4))
    return "?" + "&".join(f"{name}={text}" for name, text in pairs) if pairs else ""


SCALARS = st.one_of(
    *(st.none(), st.booleans(), st.integers(-(2**65), 2**65), st.floats(), TEXTS),
    st.sampled_from(["type.googleapis.com/wire.v1.Item", "x/google.protobuf.Struct"]),
)
KEYS = st.sampled_from([*NAMES, "@type", "value", "a"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[bytes, list[str]]:
    """A body and the headers that it comes with."""
    body = json.dumps(draw(VALUES)).encode()
    if draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(body)))
        body = body[:at] + draw(st.binary(max_size=3)) + body[at + draw(st.integers(0, 2)) :]
    kind = draw(st.sampled_from(["application/json"] * 4 + ["application/x-ndjson", "text/plain", "a", "x+json"]))
    headers = [f"content-type: {kind}"]
    if draw(st.integers(0, 5)) == 0:
        body, headers = gzip.compress(body, 1), [*headers, "content-encoding: gzip"]
    return body, headers


HEADERS = st.tuples(
    st.sampled_from(
        [
            "accept",
            "accept-encoding",
            "accept-language",
            "grpc-timeout",
            "x-server-timeout",
            "grpc-metadata-a-bin",
            "x-request-id",
            "traceparent",
            "content-encoding",
            "content-type",
            "expect-not",
            "range",
        ]
    ),
    st.one_of(
        st.sampled_from(["gzip", "text/event-stream", "*/*;q=2", "5S", "10", "AAA", "zh"]),
        st.text("aZ09,;=%/-", max_size=9),
    ),
).map(lambda pair: f"{pair[0]}: {pair[1]}")


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A request whose framing is sound, whatever is in it."""
    verb = draw(st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"]))
    body, described = draw(bodies()) if verb not in ("GET", "HEAD") or draw(st.integers(0, 9)) == 0 else (b"", [])
    headers = [*described, *draw(st.lists(HEADERS, max_size=3))]
    lines = [
        f"{verb} {draw(paths())}{draw(queries())} HTTP/1.1",
        "host: x",
        f"content-length: {len(body)}",
        *headers,
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + body


@given(st.lists(requests(), min_size=BATCH, max_size=BATCH))
def test_every_request_is_answered_or_refused_in_the_declared_shape(client: Client, sent: list[bytes]) -> None:
    for request in sent:
        status, headers, body = client.send(request)
        event(str(status))
        if status == 504 and b"timeout: 0" in request:
            continue
        assert status in FINE | REFUSED, (request, status, body)
        if status in REFUSED and not request.startswith(b"HEAD"):
            if headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            error = json.loads(body)["error"]
            assert error["code"] == status
            fields = [
                detail["fieldViolations"] for detail in error["details"] if detail["@type"].endswith("BadRequest")
            ]
            assert (status in (400, 415, 431)) == bool(fields), (request, error)
            assert all(violation["field"] and violation["description"] for found in fields for violation in found)
            assert b"Traceback" not in body


@st.composite
def noise(draw: st.DrawFn) -> bytes:
    """A request with something done to its bytes."""
    request = bytearray(draw(requests()))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(request)))
        request[at : at + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
    return bytes(request)


@given(st.lists(noise(), min_size=BATCH, max_size=BATCH))
def test_no_bytes_keep_the_service_from_serving_the_next_call(client: Client, sent: list[bytes]) -> None:
    with socket.create_connection(("127.0.0.1", client.port), PATIENCE) as connection:
        try:
            for piece in sent:
                connection.sendall(piece)
        except ConnectionError:
            event("closed by the service")
    assert client.send(b"GET /v1/items?name=still+here HTTP/1.1\r\nhost: x\r\n\r\n")[0] == 200
