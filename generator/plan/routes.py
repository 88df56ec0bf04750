"""The REST routes that are served, and what is wrong where two are alike."""

from __future__ import annotations

from collections.abc import Sequence

from generator.contract.http_rule import collisions
from generator.contract.model import Service
from generator.errors import Finding
from generator.plan.model import RoutePlan


def resolve_routes(
    services: Sequence[Service], duplicates: str
) -> tuple[tuple[RoutePlan, ...], list[Finding], list[Finding]]:
    """The served routes in contract order, the errors, and the warnings.

    Of routes alike the first declared is served. Inside one service two alike are an error, across services a
    warning (`duplicates` "warn"); "error" refuses both, "firstWins" allows both.
    """
    errors: list[Finding] = []
    warnings: list[Finding] = []
    shadowed: set[int] = set()
    for collision in collisions(services):
        shadowed.add(id(collision.second_rule))
        finding = collision.finding()
        if duplicates == "error" or (duplicates == "warn" and collision.same_service):
            errors.append(finding)
        else:
            warnings.append(finding)
    routes = tuple(
        RoutePlan(rule, rpc)
        for service in services
        for rpc in service.rpcs
        for rule in rpc.rules
        if id(rule) not in shadowed
    )
    return routes, errors, warnings
