"""Calls to a dependency over HTTP: how a request is made of its parts, what goes onward with it, and over which connection."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st
from runtime.client.http_client import HttpClient
from runtime.client.http_request import base_of, target_of
from runtime.client.http_response import HttpResponse
from runtime.client.http_transport import connection, timeout_text
from runtime.current import current_call
from runtime.errors import DependencyError
from runtime.snapshot import ClientTlsPolicy, DependencyPolicy, OutgoingPolicy
from runtime.starting import StartError
from runtime.testing.certificates import Authority
from yarl import URL

from tests.runtime.fake_call import call_of
from tests.runtime.http_peer import FxClient, client_of, failure, outbound, peer
from tests.runtime.sample_service import Note

# -- requests ------------------------------------------------------------------------------------------------------


@given(st.text(min_size=1))
def test_no_value_changes_the_path_or_the_query(value: str) -> None:
    if value in (".", ".."):
        return
    try:
        target = target_of("/a/{x}/b", {"x": value}, {})
    except UnicodeEncodeError:
        return  # half of a surrogate pair has no bytes
    assert target.count("/") == 3
    url = URL(f"http://h{target}", encoded=True)
    assert (url.raw_path.split("/")[1::2], url.raw_query_string, url.raw_fragment) == (["a", "b"], "", "")
    assert url.path.removeprefix("/a/").removesuffix("/b") == value


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/a/{x}", {"x": ".."}),
        ("/a/{x}", {"x": "."}),
        ("/a/.{x}", {"x": "."}),
        ("/a/{x}{y}", {"x": ".", "y": "."}),
        ("/a/{x}", {"x": ""}),
        ("/a/{x}", {}),
        ("/a/{x}", {"x": "1", "y": "2"}),
        ("a", {}),
        ("//evil.example/{x}?y", {"x": "1"}),
        ("/a?b=c", {}),
        ("/a#b", {}),
    ],
)
def test_a_path_that_cannot_be_filled_in_is_refused(template: str, path: dict[str, str | int]) -> None:
    with pytest.raises(ValueError, match=r"path|value|has no"):
        target_of(template, path, {})


def test_a_template_keeps_its_own_characters_and_a_variable_may_be_part_of_a_segment() -> None:
    assert target_of("/a b/{id}.json:go", {"id": 7}, {}) == "/a%20b/7.json:go"


def test_a_query_has_each_value_of_a_list_and_booleans_as_json_has_them() -> None:
    query = {"q": "a&b=c d", "n": [1, 2.5], "on": True, "none": []}
    assert target_of("/s", {}, query) == "/s?q=a%26b%3Dc%20d&n=1&n=2.5&on=true"


@pytest.mark.parametrize(
    "target",
    [
        "ftp://a",
        "a:80",
        "http://",
        "http://u:p@a",
        "http://u@a",
        "http://a?b",
        "http://a?",
        "http://a/#f",
        "http://a b",
    ],
)
def test_what_is_no_base_is_refused(target: str) -> None:
    with pytest.raises(ValueError, match=r"must|names|belong|characters"):
        base_of(target)


async def test_a_target_of_the_environment_that_is_no_url_keeps_the_server_from_starting() -> None:
    declared = DependencyPolicy("http://spec.example", OutgoingPolicy())
    with pytest.raises(StartError, match="FX_TARGET, the address of fx: it must begin with http"):
        async with connection("fx", outbound(declared, {"FX_TARGET": "fx:80"})):
            pass


async def test_credentials_in_a_target_are_refused_and_not_repeated() -> None:
    declared = DependencyPolicy("http://spec.example", OutgoingPolicy())
    with pytest.raises(StartError, match="credentials do not belong there") as caught:
        async with connection("fx", outbound(declared, {"FX_TARGET": "http://ada:secret@fx"})):
            pass
    assert "secret" not in str(caught.value)


async def test_the_environment_says_where_the_dependency_is() -> None:
    async with peer() as fx:
        declared = DependencyPolicy("http://127.0.0.1:1", OutgoingPolicy())  # nobody listens there
        async with connection("fx", outbound(declared, {"FX_TARGET": fx.url})) as connected:
            assert (await FxClient(connected).get("/rates")).status == 200
        assert fx.seen[0].target == "/api/rates"


@pytest.mark.parametrize(
    ("body", "sent", "content_type"),
    [
        ({"a": [1, None]}, b'{"a":[1,null]}', "application/json"),
        ([1], b"[1]", "application/json"),
        (b"\xff\x00", b"\xff\x00", "application/octet-stream"),
        (Note(text="a", number=3), b'{"text":"a","number":"3"}', "application/json"),
        (None, b"", None),
    ],
)
async def test_a_body_is_json_a_message_or_bytes(body: Any, sent: bytes, content_type: str | None) -> None:
    async with peer() as fx, client_of(fx.url) as client:
        await client.put("/notes/{id}", body, path={"id": 1})
        (seen,) = fx.seen
        assert (seen.verb, seen.target, seen.body) == ("PUT", "/api/notes/1", sent)
        assert seen.header("content-type") == content_type


@pytest.mark.parametrize("verb", ["GET", "HEAD", "OPTIONS", "DELETE", "POST", "PUT", "PATCH"])
async def test_each_method_arrives_as_it_is(verb: str) -> None:
    async with peer() as fx, client_of(fx.url) as client:
        response = await client.request(verb, "/x")
        assert (fx.seen[0].verb, response.content) == (verb, b"" if verb == "HEAD" else b"{}")
        if verb != "OPTIONS":
            await getattr(client, verb.lower())("/x")
            assert fx.seen[1].verb == verb


async def test_a_method_that_no_client_sends_is_refused() -> None:
    async with peer() as fx, client_of(fx.url) as client:
        with pytest.raises(ValueError, match="TRACE"):
            await client.request("TRACE", "/x")
        assert fx.seen == []


async def test_a_content_type_that_is_given_counts() -> None:
    async with peer() as fx, client_of(fx.url) as client:
        await client.post("/x", b"<a/>", headers={"Content-Type": "text/xml"})
        assert [value for name, value in fx.seen[0].headers if name == "content-type"] == ["text/xml"]


@pytest.mark.parametrize("headers", [{"x-a": "b\r\nx-c: d"}, {"x a": "b"}, {"x-a": "\xe9"}])
async def test_headers_that_no_request_can_have_are_refused(headers: dict[str, str]) -> None:
    async with peer() as fx, client_of(fx.url) as client:
        with pytest.raises(ValueError, match="header"):
            await client.get("/x", headers=headers)
        assert fx.seen == []


async def test_headers_that_say_how_a_request_is_sent_are_nobodys_to_hand_on() -> None:
    async with peer() as fx, client_of(fx.url) as client:
        await client.post("/x", b"abc", headers={"Content-Length": "1", "transfer-encoding": "chunked", "host": "evil"})
        (seen,) = fx.seen
        assert (seen.body, seen.header("content-length"), seen.header("transfer-encoding")) == (b"abc", "3", None)
        assert seen.header("host") == f"localhost:{fx.port}"


async def test_a_client_without_a_connection_says_what_to_override() -> None:
    with pytest.raises(RuntimeError, match="FxClient has no connection, and does not override request"):
        await FxClient().get("/x")


async def test_a_stand_in_of_a_test_overrides_one_method() -> None:
    class Rates(HttpClient):
        async def request(self, verb: str, template: str, body: Any = None, **options: Any) -> HttpResponse:
            return HttpResponse(200, json.dumps(options["path"]).encode())

    assert (await Rates().get("/rates/{base}", path={"base": "EUR"})).json() == {"base": "EUR"}


# -- what goes onward ------------------------------------------------------------------------------------------------


def serve(metadata: Any = (), **facts: Any) -> None:
    call = call_of(metadata=metadata)
    for name, value in facts.items():
        setattr(call, name, value)
    current_call.set(call)


async def test_deadline_request_id_trace_and_named_metadata_go_onward() -> None:
    async with peer() as fx, client_of(fx.url, total_timeout=60.0) as client:
        serve(
            (("x-tenant", "a"), ("x-tenant", "b"), ("authorization", "secret")),
            deadline=asyncio.get_running_loop().time() + 20.0,
            reserve=5.0,
            request_id="r-1",
            trace_id="0af7651916cd43dd8448eb211c80319c",
            span_id="b7ad6b7169203331",
            trace_flags=1,
        )
        await client.get("/x", headers={"x-own": "1"})
        (seen,) = fx.seen
        timeout = seen.header("grpc-timeout") or ""
        assert 14_000 < int(timeout.removesuffix("m")) <= 15_000
        assert seen.header("x-request-id") == "r-1"
        assert seen.header("traceparent") == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        assert [value for name, value in seen.headers if name == "x-tenant"] == ["a", "b"]
        assert (seen.header("authorization"), seen.header("x-own")) == (None, "1")


@pytest.mark.parametrize(
    ("seconds", "text"), [(1.2345, "1234m"), (0.0001, "1m"), (99_999.9, "99999900m"), (100_000.5, "100000S")]
)
def test_a_timeout_is_never_told_longer_than_it_is(seconds: float, text: str) -> None:
    assert timeout_text(seconds) == text


async def test_nothing_is_sent_without_time_for_it() -> None:
    async with peer() as fx, client_of(fx.url) as client:
        serve(deadline=asyncio.get_running_loop().time() + 1.0, reserve=2.0)
        with pytest.raises(DependencyError, match="no time was left to call it"):
            await client.get("/x")
        assert fx.connections == 0


# -- TLS -----------------------------------------------------------------------------------------------------------


async def test_a_certificate_of_a_known_authority_is_trusted_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority()
    (tmp_path / "ca.pem").write_bytes(authority.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue(dns=["localhost"]).write(tmp_path, "fx"))
    async with peer(context=context) as fx:
        async with client_of(fx.url) as client:
            error = await failure(client.get("/x"))
            assert (error.code_received, error.broken, fx.seen) == (StatusCode.UNAVAILABLE, True, [])
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        async with client_of(fx.url) as client:
            assert (await client.get("/x")).status == 200


async def test_an_authority_and_a_certificate_of_its_own_are_those_of_the_files_as_they_are_now(tmp_path: Path) -> None:
    authority = Authority()
    (tmp_path / "ca.pem").write_bytes(Authority("another").certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue(dns=["fx.internal"]).write(tmp_path, "fx"))
    (tmp_path / "clients.pem").write_bytes(authority.certificate)
    context.load_verify_locations(tmp_path / "clients.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    certificate, key = authority.issue("client").write(tmp_path, "client")
    tls = ClientTlsPolicy(str(tmp_path / "ca.pem"), certificate, key, server_name="fx.internal")
    async with peer(context=context) as fx, client_of(fx.url, tls=tls) as client:
        assert (await failure(client.get("/x"))).broken
        (tmp_path / "ca.pem").write_bytes(authority.certificate)
        assert (await client.get("/x")).status == 200


async def test_no_environment_takes_the_encryption_away_that_the_spec_asks_for() -> None:
    declared = DependencyPolicy("https://fx", OutgoingPolicy(), tls=ClientTlsPolicy())
    with pytest.raises(StartError, match="FX_TARGET, the address of fx: it must begin with https://"):
        async with connection("fx", outbound(declared, {"FX_TARGET": "http://fx"})):
            pass
