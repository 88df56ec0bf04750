"""Tokens against their issuer's keys: what is refused, what is remembered, and how keys rotate."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runtime.principal import Principal
from runtime.snapshot import JwtIssuer
from runtime.testing import VirtualClock
from runtime.testing.issuer import Issuer
from runtime.tokens.fetching import FetchError
from runtime.tokens.jwks import RENEW_AFTER, RETRY_AFTER, STALE_FOR
from runtime.tokens.refusals import IssuerUnavailableError, RefusedTokenError
from runtime.tokens.verifier import MAX_REMEMBERED, TokenVerifier

POLICY = JwtIssuer(
    issuer="https://id.example.com",
    audience="orders",
    jwks="https://id.example.com/jwks",
    algorithms=("ES256", "RS256"),
    clock_skew=30.0,
    scopes_claim="scope",
    roles_claim="realm.roles",
)
NOW = 1_800_000_000


class Addresses:
    """The issuers' addresses: each answers what it is set to, or fails with it."""

    def __init__(self, *issuers: Issuer) -> None:
        self.answers: dict[str, Callable[[], bytes] | Exception] = {
            issuer.policy.jwks: issuer.key_set for issuer in issuers
        }
        self.asked: list[str] = []

    async def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        await asyncio.sleep(0)
        answer = self.answers[url]
        if isinstance(answer, Exception):
            raise answer
        return answer()


class Wall:
    """The time of day, set by the test."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


class Bench:
    """A verifier of one issuer, and everything it goes by."""

    def __init__(self, policy: JwtIssuer = POLICY) -> None:
        self.issuer = Issuer(policy)
        self.addresses = Addresses(self.issuer)
        self.clock = VirtualClock()
        self.wall = Wall()
        self.verifier = TokenVerifier([policy], wall=self.wall, clock=self.clock.now, fetch=self.addresses.fetch)

    def token(self, **claims: object) -> str:
        return self.issuer.token(**{"iat": NOW, "exp": NOW + 3600, **claims})

    async def refusal(self, token: str) -> str:
        with pytest.raises(RefusedTokenError) as caught:
            await self.verifier.verify(token)
        return caught.value.reason


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_a_good_token_tells_who_calls(bench: Bench) -> None:
    roles = {"realm.roles": None, "realm": {"roles": ["admin", 7]}}
    token = bench.token(sub="ada", scope="read write", tenant="t1", **roles)
    principal = await bench.verifier.verify(token)
    assert (principal.subject, principal.issuer) == ("ada", POLICY.issuer)
    assert principal.scopes == {"read", "write"}
    assert principal.roles == {"admin"}
    assert principal.claims["tenant"] == "t1"
    assert "t1" not in repr(principal)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": NOW - 30}, "expired"),
        ({"exp": None}, "claims"),
        ({"exp": "never"}, "claims"),
        ({"exp": True}, "claims"),
        ({"exp": 10**400}, "claims"),
        ({"nbf": NOW + 31}, "too_early"),
        ({"iat": NOW + 31}, "too_early"),
        ({"aud": "billing"}, "audience"),
        ({"aud": None}, "claims"),
        ({"iss": "https://elsewhere.example.com"}, "issuer"),
        ({"iss": None}, "malformed"),
        ({"sub": 7}, "claims"),
    ],
    ids=str,
)
async def test_a_token_that_is_not_for_here_and_now_is_refused(
    bench: Bench, claims: dict[str, object], reason: str
) -> None:
    assert await bench.refusal(bench.token(**claims)) == reason


@pytest.mark.parametrize("claims", [{"exp": NOW - 29}, {"nbf": NOW + 29}, {"aud": ["billing", "orders"]}], ids=str)
async def test_clocks_may_differ_by_the_skew(bench: Bench, claims: dict[str, object]) -> None:
    assert (await bench.verifier.verify(bench.token(**claims))).subject == "tester"


async def test_a_signature_of_another_key_is_refused(bench: Bench) -> None:
    other = Issuer(POLICY, "another")
    other.kid = "key"
    assert await bench.refusal(other.token(iat=NOW, exp=NOW + 60)) == "signature"


async def test_a_token_that_was_changed_is_refused(bench: Bench) -> None:
    head, payload, signature = bench.token(scope="read").split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    forged = base64.urlsafe_b64encode(json.dumps({**claims, "scope": "admin"}).encode()).rstrip(b"=").decode()
    assert await bench.refusal(f"{head}.{forged}.{signature}") == "signature"


def unsigned(algorithm: str, **header: object) -> str:
    parts = [
        {"alg": algorithm, "kid": "key", **header},
        {"iss": POLICY.issuer, "aud": POLICY.audience, "exp": NOW + 60},
    ]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, ""])


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "ES384", "PS256", ""])
async def test_only_the_algorithms_of_the_policy_are_taken(bench: Bench, algorithm: str) -> None:
    assert await bench.refusal(unsigned(algorithm)) == "algorithm"
    assert bench.addresses.asked == []


async def test_a_public_key_is_not_taken_for_a_shared_secret(bench: Bench) -> None:
    content = unsigned("HS256").removesuffix(".")
    signature = hmac.digest(bench.issuer.key_set(), content.encode(), "sha256")
    forged = f"{content}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    assert await bench.refusal(forged) == "algorithm"


async def test_a_key_serves_its_own_algorithm_alone(bench: Bench) -> None:
    """RS256 is allowed, but the key of that id is for ES256."""
    assert await bench.refusal(unsigned("RS256")) == "key"


async def test_a_critical_extension_that_nobody_knows_is_refused(bench: Bench) -> None:
    assert await bench.refusal(unsigned("ES256", crit=["exp"])) == "malformed"


@pytest.mark.parametrize("token", ["", "a", "a.b.c", "....", "é.é.é", "a" * 20_000, "e30.e30.", "W10.W10.W10"])
async def test_what_is_no_token_is_refused(bench: Bench, token: str) -> None:
    assert await bench.refusal(token) == "malformed"


@given(st.text(max_size=200) | st.lists(st.binary(max_size=40), min_size=3, max_size=3))
def test_nothing_that_calls_itself_a_token_raises_anything_else(written: str | list[bytes]) -> None:
    token = (
        written
        if isinstance(written, str)
        else ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in written)
    )
    with pytest.raises(RefusedTokenError):
        asyncio.run(Bench().verifier.verify(token))


async def test_each_issuer_has_its_own_keys_and_audience() -> None:
    other = JwtIssuer("https://other.example.com", "other", "https://other/jwks", ("ES256",), 0.0, "scp", "roles")
    one, two = Issuer(POLICY), Issuer(other, "key-of-two")
    verifier = TokenVerifier([POLICY, other], wall=Wall(), fetch=Addresses(one, two).fetch)
    times = {"iat": NOW, "exp": NOW + 60}
    assert (await verifier.verify(one.token(**times))).issuer == POLICY.issuer
    assert (await verifier.verify(two.token(scp=["a", "b"], **times))).scopes == {"a", "b"}
    with pytest.raises(RefusedTokenError):  # signed by the one, in the name of the other
        await verifier.verify(one.token(iss=other.issuer, aud=other.audience, **times))


# -- what is remembered --------------------------------------------------------------------------------------------


async def test_a_verified_token_is_known_until_it_expires(bench: Bench) -> None:
    token = bench.token(exp=NOW + 60)
    assert bench.verifier.known(token) is None
    principal = await bench.verifier.verify(token)
    assert bench.verifier.known(token) is principal
    bench.wall.now = NOW + 60 + POLICY.clock_skew
    assert bench.verifier.known(token) is None


async def test_no_more_tokens_are_remembered_than_there_is_room_for(bench: Bench) -> None:
    tokens = [bench.token(jti=str(number)) for number in range(MAX_REMEMBERED + 3)]
    for token in tokens:
        await bench.verifier.verify(token)
    known = [bench.verifier.known(token) is not None for token in tokens]
    assert known == [False] * 3 + [True] * MAX_REMEMBERED


async def test_a_token_of_great_length_is_verified_and_not_remembered(bench: Bench) -> None:
    token = bench.token(filler="x" * 5000)
    assert (await bench.verifier.verify(token)).subject == "tester"
    assert bench.verifier.known(token) is None


async def test_what_a_withdrawn_key_has_signed_is_forgotten(bench: Bench) -> None:
    token = bench.token()
    await bench.verifier.verify(token)
    bench.issuer.rotate("newer")
    await bench.clock.advance(RENEW_AFTER + 1)
    await bench.verifier.verify(bench.token())  # of the new key, which has to be fetched
    assert bench.verifier.known(token) is None
    assert await bench.refusal(token) == "key"


# -- keys ------------------------------------------------------------------------------------------------------------


async def test_many_calls_at_once_ask_for_the_keys_once(bench: Bench) -> None:
    tokens = [bench.token(jti=str(number)) for number in range(5)]
    principals = await asyncio.gather(*(bench.verifier.verify(token) for token in tokens * 10))
    assert {principal.subject for principal in principals} == {"tester"}
    assert len(bench.addresses.asked) == 1
    assert len({id(principal) for principal in principals}) == 5  # each token was verified once


async def test_an_unknown_key_is_asked_for_and_not_too_often(bench: Bench) -> None:
    await bench.verifier.verify(bench.token())
    bench.issuer.rotate("newer")
    assert await bench.refusal(bench.token()) == "key"  # too soon after the last time
    await bench.clock.advance(RETRY_AFTER)
    assert (await bench.verifier.verify(bench.token())).subject == "tester"
    for number in range(20):
        bench.issuer.kid = f"invented-{number}"
        assert await bench.refusal(bench.token()) == "key"
    assert len(bench.addresses.asked) == 2


async def test_keys_are_renewed_without_a_call_that_waits(bench: Bench) -> None:
    await bench.verifier.verify(bench.token(jti="1"))
    await bench.clock.advance(RENEW_AFTER + 1)
    await bench.verifier.verify(bench.token(jti="2"))
    assert len(bench.addresses.asked) == 1  # the fetch has but been begun
    await bench.clock.advance(0)
    assert len(bench.addresses.asked) == 2


@pytest.mark.parametrize(
    "answer", [FetchError("HTTP 503"), lambda: b"<html>", lambda: b'{"keys": []}'], ids=["down", "page", "empty"]
)
async def test_keys_serve_on_while_the_issuer_is_down_but_not_for_ever(bench: Bench, answer: Any) -> None:
    await bench.verifier.verify(bench.token(jti="1"))
    bench.addresses.answers[POLICY.jwks] = answer
    for hour in range(23):
        await bench.clock.advance(3600)
        assert (await bench.verifier.verify(bench.token(jti=f"h{hour}"))).subject == "tester"
    await bench.clock.advance(STALE_FOR - 23 * 3600 + 1)
    with pytest.raises(IssuerUnavailableError):
        await bench.verifier.verify(bench.token(jti="late"))


async def test_an_issuer_that_never_answered_is_no_fault_of_the_callers(bench: Bench) -> None:
    bench.addresses.answers[POLICY.jwks] = FetchError("connection refused")
    for _ in range(3):
        with pytest.raises(IssuerUnavailableError) as caught:
            await bench.verifier.verify(bench.token())
        assert 1.0 <= caught.value.retry_after <= RETRY_AFTER
    assert len(bench.addresses.asked) == 1
    bench.addresses.answers[POLICY.jwks] = bench.issuer.key_set
    await bench.clock.advance(RETRY_AFTER)
    assert (await bench.verifier.verify(bench.token())).subject == "tester"


async def test_a_call_waits_for_keys_no_longer_than_it_has_time(bench: Bench) -> None:
    never = asyncio.Event()

    async def hang(url: str) -> bytes:
        await never.wait()
        return b""

    verifier = TokenVerifier([POLICY], wall=bench.wall, clock=bench.clock.now, fetch=hang)
    with pytest.raises(IssuerUnavailableError):
        await verifier.verify(bench.token(), within=0.01)
    await verifier.aclose()


async def test_a_caller_that_gives_up_does_not_take_the_keys_from_the_others(bench: Bench) -> None:
    token = bench.token()
    first = asyncio.create_task(bench.verifier.verify(token))
    second = asyncio.create_task(bench.verifier.verify(token))
    await asyncio.sleep(0)
    first.cancel()
    principal: Principal = await second
    assert principal.subject == "tester"


def jwk(**changes: object) -> bytes:
    key = json.loads(Issuer(POLICY).key_set())["keys"][0]
    return json.dumps({"keys": [{**key, **changes}]}).encode()


@pytest.mark.parametrize(
    "document",
    [
        jwk(use="enc"),
        jwk(key_ops=["encrypt"]),
        jwk(kty="oct", k="c2VjcmV0"),
        jwk(alg="ES384"),
        jwk(crv="P-384"),
        jwk(x="AAAA"),
        b'{"keys": [7]}',
        b'{"keys": {}}',
        b"[]",
        b"\xff",
        b"[" * 100_000,
    ],
    ids=range(11),
)
async def test_a_key_that_is_not_for_signatures_of_that_kind_serves_none(bench: Bench, document: bytes) -> None:
    bench.addresses.answers[POLICY.jwks] = lambda: document
    with pytest.raises((RefusedTokenError, IssuerUnavailableError)):
        await bench.verifier.verify(bench.token())


async def test_a_token_without_a_key_id_is_good_where_one_key_is_meant(bench: Bench) -> None:
    keys = json.loads(bench.issuer.key_set())["keys"]
    bench.issuer.kid = ""
    bench.addresses.answers[POLICY.jwks] = lambda: json.dumps({"keys": keys}).encode()
    assert (await bench.verifier.verify(bench.token())).subject == "tester"
    two = [*keys, json.loads(Issuer(POLICY, "another").key_set())["keys"][0]]
    ambiguous = Bench()
    ambiguous.issuer.kid = ""
    ambiguous.addresses.answers[POLICY.jwks] = lambda: json.dumps({"keys": two}).encode()
    assert await ambiguous.refusal(ambiguous.token()) == "key"
