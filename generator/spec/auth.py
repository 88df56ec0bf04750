"""The spec's authentication and authorisation."""

from collections.abc import Mapping
from typing import Annotated, Literal

from generator.spec.fields import Bool, Model, OneOrMany, Selector, Text, setting
from generator.spec.spelling import text
from generator.spec.units import Duration

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]

Scope = Annotated[
    str,
    text(
        "scope",
        pattern=r"^[\x21\x23-\x5b\x5d-\x7e]+$",  # RFC 6749, section 3.3
        hint="a scope is one word of printable ASCII, without quotes and backslashes",
    ),
]
JwksAddress = Annotated[
    str,
    text(
        "address",
        pattern=r"^https?://[^\s/?#]+[^\s#]*$",
        hint="an address is https://…, or http://… in a network you trust",
    ),
]


class Jwt(Model):
    """Bearer tokens and who issues them."""

    issuer: Text = setting("", "Who must have issued the token.", example="https://id.example.com", needed=True)
    audience: Text = setting("", "Whom it must be meant for.", example="orders", needed=True)
    jwks: JwksAddress = setting("", "Where the issuer's keys are.", example="https://id.example.com/jwks", needed=True)
    algorithms: tuple[Algorithm, ...] = setting(
        ("RS256", "ES256", "EdDSA"), "Signature algorithms accepted, no other.", example=["ES256"], min_length=1
    )
    clock_skew: Duration = setting(30.0, "How far clocks may differ.", example="30s")
    scopes_claim: Text = setting("scope", "The claim that lists the scopes.", example="scp", min_length=1)
    roles_claim: Text = setting(
        "roles",
        "The claim that lists the roles; with dots, the way to it through other claims.",
        example="realm_access.roles",
        min_length=1,
    )


class Rule(Model):
    """What a caller needs; every key that is set must be met. Without keys, every authenticated caller may call."""

    any_scope: tuple[Scope, ...] = setting((), "At least one of these scopes.", example=["orders.read"])
    all_scopes: tuple[Scope, ...] = setting((), "All of these scopes.", example=["orders.write"])
    any_role: tuple[Text, ...] = setting((), "At least one of these roles.", example=["admin"])
    any_peer: tuple[Text, ...] = setting(
        (),
        "A client certificate with at least one of these names: a URI, as SPIFFE ids are, or a host name.",
        example=["spiffe://example.com/ns/shop/sa/checkout"],
    )


class Auth(Model):
    """Who may call what."""

    jwt: OneOrMany[Jwt] = setting(
        (),
        "Bearer tokens and who issues them: one issuer, or a list of several.",
        example={"issuer": "https://id.example.com", "audience": "orders", "jwks": "https://id.example.com/jwks"},
    )
    client_certificates: Bool = setting(
        False, "Whether a client certificate (tls.mode: mtls) is enough for a caller without a token."
    )
    default: Literal["deny", "allow"] = setting("deny", "What happens to authenticated calls that no rule is about.")
    rules: Mapping[Selector, Rule] = setting(
        None,
        "What a caller needs, by method; the most specific selector counts alone.",
        example={"GetOrder": {"anyScope": ["orders.read"]}},
        factory=dict,
    )
    public: tuple[Selector, ...] = setting(
        (),
        "Methods anyone may call, those of health and reflection on the gRPC port among them.",
        example=["grpc.health.v1.Health/*"],
    )
