"""What `app.py` hands over, held against the definition: each service its handler, each dependency its fallbacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .call import Call
from .definition import Application, Definition, DependencyFallbacks, Method, ServiceBase
from .errors import unimplemented
from .pipeline import Endpoint, handler_endpoint


class ApplicationError(Exception):
    """An `Application` that does not fit the definition; each finding is one line."""

    def __init__(self, findings: Sequence[str]) -> None:
        super().__init__("; ".join(findings))
        self.findings = tuple(findings)


def match_handlers(definition: Definition, application: Application) -> Mapping[str, ServiceBase]:
    """The application's handlers by service name.

    Raises ApplicationError for a handler of an unknown service or of no service at all, two handlers of one
    service, and two stages of one name.
    """
    known = {service.SERVICE for service in definition.services}
    handlers: dict[str, ServiceBase] = {}
    findings: list[str] = []
    for handler in application.handlers:
        kind = type(handler).__name__
        service = getattr(handler, "SERVICE", None)
        if isinstance(handler, type):
            findings.append(f"Application.handlers has the class {handler.__name__}, not an object of it")
        elif service not in known:
            findings.append(f"{kind} handles no service of this contract: it must derive from one of its bases")
        elif service in handlers:
            findings.append(f"{kind} and {type(handlers[service]).__name__} both handle {service}")
        else:
            handlers[service] = handler
    names = [stage.name for stage in (*definition.stages, *application.stages)]
    findings += [f"two stages are named {name!r}" for name in sorted({n for n in names if names.count(n) > 1})]
    if findings:
        raise ApplicationError(findings)
    return handlers


def match_fallbacks(definition: Definition, application: Application) -> Mapping[str, DependencyFallbacks]:
    """What the application falls back on, by dependency.

    Raises ApplicationError where any of what the definition needs is missing, there twice, or not needed.
    """
    found: dict[str, DependencyFallbacks] = {}
    findings: list[str] = []
    for own in application.fallbacks:
        base = next((base for base in definition.fallbacks if isinstance(own, base)), None)
        if base is None:
            kind = own.__name__ if isinstance(own, type) else type(own).__name__
            findings.append(f"{kind} in Application.fallbacks is no object that calls to a dependency fall back on")
        elif base.DEPENDENCY in found:
            findings.append(f"two of Application.fallbacks are for {base.DEPENDENCY}")
        else:
            found[base.DEPENDENCY] = own
    for base in definition.fallbacks:
        if base.DEPENDENCY not in found:
            text = f"calls to {base.DEPENDENCY} fall back on methods of yours"
            findings.append(f"{text}: Application.fallbacks needs an object of a subclass of {base.__name__}")
    if findings:
        raise ApplicationError(findings)
    return found


def endpoint_of(method: Method, handler: ServiceBase | None) -> Endpoint:
    """What calls of the method end at: the handler's own method, or UNIMPLEMENTED. Raises ApplicationError."""
    if handler is None:
        return _unimplemented
    try:
        return handler_endpoint(method, handler)
    except (TypeError, AttributeError) as error:
        raise ApplicationError([str(error)]) from error


async def _unimplemented(call: Call) -> None:
    raise unimplemented(call.method.path)
