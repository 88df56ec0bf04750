"""The REST routes that are served, and what is wrong where two are alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from generator.contract.http_rule import collisions, parse_template
from generator.contract.model import HttpRule, Rpc, Service
from generator.errors import Finding, Place
from generator.plan.model import RoutePlan


def expose(services: Sequence[Service], place: Place) -> tuple[Service, ...]:
    """The services, with a rule for each RPC that has none: `POST /pkg.Service/Method`, with the request as the body.

    `place` is where the spec asks for it.
    """
    return tuple(replace(service, rpcs=tuple(_exposed(rpc, place) for rpc in service.rpcs)) for service in services)


def _exposed(rpc: Rpc, place: Place) -> Rpc:
    if rpc.rules:
        return rpc
    return replace(rpc, rules=(HttpRule("POST", parse_template(rpc.path), "*", "", False, place),))


def resolve_routes(
    services: Sequence[Service], duplicates: str
) -> tuple[tuple[RoutePlan, ...], list[Finding], list[Finding]]:
    """The served routes in contract order, the errors, and the warnings.

    Of routes alike the first declared is served. Inside one service two alike are an error, across services a
    warning (`duplicates` "warn"); "error" refuses both, "firstWins" allows both without a word.
    """
    errors: list[Finding] = []
    warnings: list[Finding] = []
    shadowed: set[int] = set()
    for collision in collisions(services):
        shadowed.add(id(collision.second_rule))
        finding = collision.finding()
        if collision.is_refused(duplicates):
            errors.append(finding)
        elif duplicates == "warn":
            warnings.append(finding)
    routes = tuple(
        RoutePlan(rule, rpc)
        for service in services
        for rpc in service.rpcs
        for rule in rpc.rules
        if id(rule) not in shadowed
    )
    return routes, errors, warnings
