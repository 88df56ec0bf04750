"""Callers for tests of who may call what: those whom a rule lets in, and those who lack one thing."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from google.protobuf.empty_pb2 import Empty

from ..definition import Definition, Kind, Method
from ..snapshot import AccessPolicy
from .entries import Entry
from .issuer import Issuer

Forge = Callable[[Issuer, AccessPolicy], str]


def forgeries() -> Mapping[str, Forge]:
    """By name, tokens that no service may take: each would be good but for one thing."""
    return {
        "expired": lambda issuer, access: issuer.token(access, exp=int(time.time()) - _long(issuer)),
        "not valid yet": lambda issuer, access: issuer.token(access, nbf=int(time.time()) + _long(issuer)),
        "without an end": lambda issuer, access: issuer.token(access, exp=None),
        "for another audience": lambda issuer, access: issuer.token(access, aud="another-audience"),
        "without an audience": lambda issuer, access: issuer.token(access, aud=None),
        "of another issuer": lambda issuer, access: issuer.token(access, iss="https://another-issuer.invalid"),
        "signed with another key": _signed_with_another_key,
        "changed on its way": _changed,
        "not signed": _unsigned,
        "nonsense": lambda issuer, access: "nonsense",
    }


def _long(issuer: Issuer) -> int:
    return int(issuer.policy.clock_skew) + 60


def _signed_with_another_key(issuer: Issuer, access: AccessPolicy) -> str:
    other = Issuer(issuer.policy, "of-nobody")
    other.kid = issuer.kid
    return other.token(access)


def _changed(issuer: Issuer, access: AccessPolicy) -> str:
    head, _, signature = issuer.token(access).split(".")
    payload = issuer.token(access, sub="somebody-else").split(".")[1]
    return f"{head}.{payload}.{signature}"


def _unsigned(issuer: Issuer, access: AccessPolicy) -> str:
    payload = issuer.token(access).split(".")[1]
    head = json.dumps({"alg": "none", "typ": "JWT", "kid": issuer.kid}).encode()
    return f"{base64.urlsafe_b64encode(head).rstrip(b'=').decode()}.{payload}."


def just_enough(access: AccessPolicy) -> tuple[AccessPolicy, ...]:
    """What callers hold who may just call: every one of the alternatives once."""
    by_scope = [replace(access, any_scope=(scope,)) for scope in access.any_scope]
    by_role = [replace(access, any_role=(role,)) for role in access.any_role]
    return (*by_scope, *by_role) or (access,)


def too_little(access: AccessPolicy) -> tuple[AccessPolicy, ...]:
    """What callers hold who lack one thing."""
    lacking = [
        replace(access, any_scope=_without(access.any_scope, scope), all_scopes=_without(access.all_scopes, scope))
        for scope in access.all_scopes
    ]
    if access.any_scope and not set(access.any_scope) & set(access.all_scopes):
        lacking.append(replace(access, any_scope=()))
    if access.any_role:
        lacking.append(replace(access, any_role=()))
    return tuple(lacking)


def _without(scopes: tuple[str, ...], scope: str) -> tuple[str, ...]:
    return tuple(other for other in scopes if other != scope)


def everything(definition: Definition) -> AccessPolicy:
    """What somebody holds who has every scope and a role that any rule names."""
    rules = [policy.access for policy in definition.policies.methods.values() if policy.access is not None]
    scopes = {scope for rule in rules for scope in (*rule.any_scope, *rule.all_scopes)}
    roles = sorted({role for rule in rules for role in rule.any_role})
    return AccessPolicy(all_scopes=tuple(sorted(scopes)), any_role=tuple(roles[:1]))


def beside(definition: Definition) -> tuple[Entry, ...]:
    """The RPCs that the gRPC port has beside the contract's; they take an empty request, though it is not theirs."""
    found = [("grpc.health.v1.Health", "Check", Kind.UNARY), ("grpc.health.v1.Health", "List", Kind.UNARY)]
    if definition.policies.grpc.reflection:
        services = [f"grpc.reflection.{version}.ServerReflection" for version in ("v1", "v1alpha")]
        found += [(service, "ServerReflectionInfo", Kind.BIDI) for service in services]
    return tuple(
        Entry(Method(f"/{service}/{name}", service, name, name.lower(), kind, Empty, Empty))
        for service, name, kind in found
    )
