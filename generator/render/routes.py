"""The REST routes as Python: what `gen/routes.py` lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from generator.plan.model import Plan
from generator.render.python import Construct
from generator.render.services import ServiceView


@dataclass(frozen=True, slots=True)
class RouteView:
    """One route; `method` is the expression of its Method ("order_service.CREATE_ORDER")."""

    verb: str
    template: str
    segments: tuple[str, ...]
    suffix: str
    captures: tuple[Construct, ...]
    body: str
    response_body: str
    method: str


def views(plan: Plan, services: Sequence[ServiceView]) -> tuple[RouteView, ...]:
    """One view per served route, in contract order."""
    methods = {method.path: f"{view.module}.{method.constant}" for view in services for method in view.methods}
    result = []
    for route in plan.routes:
        template = route.rule.template
        captures = tuple(
            Construct("Capture", {"field_path": variable.field_path, "start": start, "end": end})
            for variable, (start, end) in zip(template.variables, template.captures, strict=True)
        )
        result.append(
            RouteView(
                verb=route.rule.verb,
                template=template.text,
                segments=template.segments,
                suffix=template.verb,
                captures=captures,
                body=route.rule.body,
                response_body=route.rule.response_body,
                method=methods[route.rpc.path],
            )
        )
    return tuple(result)
