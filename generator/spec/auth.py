"""The spec's authentication and authorisation."""

from collections.abc import Mapping
from typing import Literal

from generator.spec.fields import Model, Selector, Switch, Text, setting
from generator.spec.units import Duration

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


class Jwt(Model):
    """Bearer tokens and who issues them."""

    issuer: Text = setting("", "Who must have issued the token.", example="https://id.example.com", needed=True)
    audience: Text = setting("", "Whom it must be meant for.", example="orders", needed=True)
    jwks: Text = setting("", "Where the issuer's keys are.", example="https://id.example.com/jwks", needed=True)
    algorithms: tuple[Algorithm, ...] = setting(("RS256", "ES256", "EdDSA"), "Signature algorithms accepted, no other.")
    clock_skew: Duration = setting(30.0, "How far clocks may differ.", example="30s")


class Rule(Model):
    """What a caller needs; every key that is set must be met."""

    any_scope: tuple[Text, ...] = setting((), "At least one of these scopes.", example=["orders.read"])
    all_scopes: tuple[Text, ...] = setting((), "All of these scopes.", example=["orders.write"])
    any_role: tuple[Text, ...] = setting((), "At least one of these roles.", example=["admin"])


class Auth(Model):
    """Who may call what."""

    jwt: Switch[Jwt] = setting(None, "Bearer tokens and who issues them.")
    default: Literal["deny", "allow"] = setting("deny", "What happens to authenticated calls that no rule is about.")
    rules: Mapping[Selector, Rule] = setting(
        None, "What a caller needs, by method.", example={"GetOrder": {"anyScope": ["orders.read"]}}, factory=dict
    )
    public: tuple[Selector, ...] = setting((), "Methods anyone may call.", example=["grpc.health.v1.Health/*"])
