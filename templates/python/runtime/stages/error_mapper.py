"""The innermost stage: whatever a handler raises becomes a ServiceError, and nothing of its text reaches the caller."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

import grpc
from grpc import StatusCode
from grpc.aio import AbortError

from ..call import Call
from ..definition import Method
from ..errors import DEPENDENCY_TEXT, DependencyError, PeerError, ServiceError, TableError
from ..measures import uncounted
from ..pipeline import Endpoint
from ..snapshot import MethodPolicy, UnmappedPolicy
from .environment import Environment

INTERNAL_TEXT = "internal error"

_log = logging.getLogger(__name__)


class ErrorMapper:
    """Maps what is no ServiceError: exceptions of no table by the `unmapped` policy, with an id to look up in the log.

    grpc.aio would send an exception's text to the client, and no status at all for a CancelledError that the
    application caused: the client would wait until its deadline.
    """

    __slots__ = ("_code", "_count", "_of_dependencies", "_own", "_random_bits", "_redact")

    def __init__(
        self,
        policy: UnmappedPolicy,
        random_bits: Callable[[int], int],
        count_unmapped: Callable[[], None],
        of_dependencies: tuple[type[Exception], ...] = (),
        own: Mapping[str, type[TableError]] = MappingProxyType({}),
    ) -> None:
        """`of_dependencies` are the errors of clients that are not the runtime's own; `own` those of the service's
        table, by reason.
        """
        self._code = StatusCode[policy.code]
        self._redact = policy.redact
        self._random_bits = random_bits
        self._own = own
        self._count = count_unmapped
        self._of_dependencies = (DependencyError, grpc.RpcError, AbortError, *of_dependencies)

    async def __call__(self, call: Call, proceed: Endpoint) -> None:
        try:
            await proceed(call)
        except ServiceError as error:
            given = call.ended_with()
            if given is not None:
                raise given from error
            if isinstance(error, DependencyError):
                raise self._mapped(call, error) from error
            raise
        except asyncio.CancelledError as error:
            given = call.ended_with()
            if given is not None:
                raise given from error
            if call.cancelled:
                raise
            raise self._mapped(call, error) from error
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit too: a handler must not stop the event loop
            if isinstance(error, GeneratorExit) and not call.served_here:
                raise  # the coroutine is being collected
            raise self._mapped(call, error) from error

    def _mapped(self, call: Call, error: BaseException) -> ServiceError:
        cause, *others = list(leaves(error)) or [error]
        for other in others:
            if not isinstance(other, ServiceError | asyncio.CancelledError):
                _log.error("%s failed more than once", call.method.path, exc_info=other)
        if isinstance(cause, ServiceError) and not isinstance(cause, DependencyError):
            return call.ended_with() or cause
        if isinstance(cause, TimeoutError):
            _log.warning("%s ran into a timeout of its own", call.method.path, exc_info=cause)
            return call.ended_with() or ServiceError(StatusCode.DEADLINE_EXCEEDED, "the call took too long")
        if isinstance(cause, PeerError) and (own := self._by_own_row(cause)) is not None:
            return call.ended_with() or own
        error_id = f"{self._random_bits(64):016x}"
        if isinstance(cause, self._of_dependencies):
            _log.error("a dependency of %s failed", call.method.path, exc_info=cause, extra={"error_id": error_id})
            code, text = StatusCode.UNAVAILABLE, DEPENDENCY_TEXT
            if isinstance(cause, DependencyError):
                code, text = cause.code, cause.message
            mapped = ServiceError(code, text, metadata={"error_id": error_id})
        else:
            self._count()
            _log.error("%s raised what no table maps", call.method.path, exc_info=cause, extra={"error_id": error_id})
            text = INTERNAL_TEXT if self._redact else f"{type(cause).__name__}: {cause}"
            mapped = ServiceError(self._code, text, metadata={"error_id": error_id})
        return call.ended_with() or mapped

    def _by_own_row(self, error: PeerError) -> TableError | None:
        """A dependency's failure by this service's own row for its reason; None where there is none that it fills."""
        own = self._own.get(error.reason_received)
        if own is None or error.expired or any(name not in error.metadata_received for name in own.row.placeholders):
            return None
        return own({name: error.metadata_received[name] for name in own.row.placeholders})


def for_method(method: Method, policy: MethodPolicy, environment: Environment) -> ErrorMapper:
    """The method's stage; every method has one."""
    measures = environment.measures
    count = uncounted if measures is None else measures.unmapped(method.path.removeprefix("/"))
    bits = environment.random.getrandbits
    return ErrorMapper(environment.unmapped, bits, count, _of_redis(environment), _own(environment))


def _own(environment: Environment) -> Mapping[str, type[TableError]]:
    """A class for each row of the service's table, made once for all methods."""

    def make() -> Mapping[str, type[TableError]]:
        rows = environment.errors.rows if environment.dependencies else {}
        return {reason: type("OwnError", (TableError,), {"row": row}) for reason, row in rows.items()}

    return environment.shared.one("own_errors", make)


def _of_redis(environment: Environment) -> tuple[type[Exception], ...]:
    """The errors of redis-py that say that Redis is not there, where the service calls one."""
    schemes = ("redis://", "rediss://", "unix://")
    if not any(dependency.target.startswith(schemes) for dependency in environment.dependencies.values()):
        return ()
    from redis import exceptions  # only here: other services have no redis-py

    return (exceptions.ConnectionError, exceptions.TimeoutError, exceptions.ReadOnlyError, exceptions.ClusterDownError)


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The exceptions in a group, however deep, the first to fail first; cancellations, which only follow, last.

    An exception that is no group is its only leaf.
    """
    found = list(_flat(error))
    yield from (leaf for leaf in found if not isinstance(leaf, asyncio.CancelledError))
    yield from (leaf for leaf in found if isinstance(leaf, asyncio.CancelledError))


def _flat(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _flat(inner)
    else:
        yield error
