"""The health score stage: tells the score how each run of a handler ended."""

from __future__ import annotations

import asyncio

from ..call import Call
from ..classification import is_bad
from ..definition import ErrorTable, Method
from ..errors import ServiceError
from ..pipeline import Endpoint
from ..resilience import Resilience
from ..snapshot import MethodPolicy
from .environment import Environment


class HealthScore:
    """Counts what handlers do, not what policies refuse: a service that sheds would never be well again."""

    __slots__ = ("_errors", "_resilience")

    def __init__(self, resilience: Resilience, errors: ErrorTable) -> None:
        self._resilience = resilience
        self._errors = errors

    async def __call__(self, call: Call, proceed: Endpoint) -> None:
        try:
            await proceed(call)
        except ServiceError as error:
            self._resilience.call(failed=is_bad(error, self._errors))
            raise
        except asyncio.CancelledError:
            raise  # the caller has gone: it says nothing
        self._resilience.call(failed=False)


def for_method(method: Method, policy: MethodPolicy, environment: Environment) -> HealthScore | None:
    """The stage; None where nobody judges."""
    return None if environment.resilience is None else HealthScore(environment.resilience, environment.errors)
