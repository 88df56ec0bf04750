"""The idempotency stage: a call that comes twice runs once, and both get the one answer."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from google.protobuf.message import Message
from grpc import StatusCode

from ..call import Call
from ..caller_key import principal
from ..classification import DRAINING_REASON, SPENT_REASON
from ..clock import Clock
from ..definition import ErrorTable, Kind, Method
from ..errors import ErrorRow, ServiceError, invalid_argument
from ..measures import IN_FLIGHT, KEY_INVALID, KEY_MISSING, KEY_REUSED, STORE_FAILED, uncounted
from ..pipeline import Endpoint
from ..policies.idempotency import Begun, InFlight, KeyLife, Mismatch, Replay
from ..snapshot import IdempotencyPolicy, MethodPolicy
from ..stores import MEMORY, KeyStore, StoreError
from ..stores.memory import MemoryKeys
from .environment import Environment
from .stored_answer import Replayer, stored
from .stores import redis_store, without_store

_log = logging.getLogger(__name__)

_KEY: Final = re.compile(r"[\x20-\x7e]{1,255}")
_ASK_AGAIN: Final = 1.0
"""Seconds after which a duplicate may ask again: calls end long before their locks do."""

_PAUSES: Final = (0.1, 0.3, 1.0, 3.0, 9.0)
"""Seconds between the attempts to keep an answer in a store that fails."""

_NOTHING_DONE: Final = frozenset({StatusCode.UNAVAILABLE, StatusCode.ABORTED, StatusCode.RESOURCE_EXHAUSTED})
_UNKNOWN: Final = frozenset({StatusCode.DEADLINE_EXCEEDED, StatusCode.CANCELLED})


class Keys:
    """The keys of one method: its store, and what happens where that fails."""

    def __init__(
        self, store: KeyStore, local: KeyStore | None, *, lenient: bool, count: Callable[[], None] = uncounted
    ) -> None:
        self._store = store
        self._count = count
        self._local = local
        self._lenient = lenient

    async def begin(self, key: str, fingerprint: bytes, token: str) -> tuple[Begun, KeyStore] | None:
        """What a call is told that asks for the key, and by whom; None for a call that goes unprotected.

        Raises ServiceError.
        """
        try:
            return await self._store.begin(key, fingerprint, token), self._store
        except StoreError as error:
            self._count()
            if self._local is not None:
                return await self._local.begin(key, fingerprint, token), self._local
            if self._lenient:
                return None
            raise without_store(error) from error


class Idempotency:
    """Runs a call unless its key has been seen; a key is the caller's own, and the method's.

    An answer is kept for the next call with the key: a response, or an error that would come again. An error that says
    that nothing was done gives the key back. Where nobody knows what was done (the deadline has passed, the caller has
    gone) the key stays locked for a while.
    """

    __slots__ = ("_clock", "_count", "_errors", "_field", "_header", "_keys", "_random_bits", "_replayer", "_required")

    def __init__(
        self,
        policy: IdempotencyPolicy,
        keys: Keys,
        errors: ErrorTable,
        clock: Clock,
        random_bits: Callable[[int], int],
        count: Callable[[str], None],
    ) -> None:
        self._keys = keys
        self._header = policy.header
        self._field = policy.field
        self._required = policy.required
        self._errors = errors.by_code
        self._replayer = Replayer(errors.rows)
        self._clock = clock
        self._random_bits = random_bits
        self._count = count

    async def __call__(self, call: Call, proceed: Endpoint) -> None:
        given = await self._given(call)
        if not given:
            await proceed(call)
            return
        fingerprint = _fingerprint(await call.request())
        key = f"{call.method.path}\n{principal(call)}\n{given}"
        token = f"{self._random_bits(64):016x}"
        try:
            held = await self._keys.begin(key, fingerprint, token)
        except ServiceError:
            self._count(STORE_FAILED)
            raise
        if held is None:
            await proceed(call)
            return
        match held[0]:
            case Replay(answer):
                call.headers.append(("idempotent-replayed", "true"))
                call.served_from = "idempotency"
                self._replayer.replay(call, answer)
            case InFlight(wait):
                self._count(IN_FLIGHT)
                raise _in_flight(min(wait, _ASK_AGAIN))
            case Mismatch():
                self._count(KEY_REUSED)
                name = self._header if call.metadata.text(self._header) else self._name
                raise invalid_argument(name, "belongs to another request", reason="IDEMPOTENCY_KEY_REUSED", http=422)
            case _:
                await self._run(call, proceed, held[1], key, token)

    async def _run(self, call: Call, proceed: Endpoint, store: KeyStore, key: str, token: str) -> None:
        headers, trailers = len(call.headers), len(call.trailers)
        failure: ServiceError | None = None
        try:
            await proceed(call)
        except ServiceError as error:
            failure = error
        if failure is not None and _did_nothing(failure, self._errors):
            await self._settle(call, store, lambda: store.release(key, token))
        elif not call.served_from and (failure is None or not _is_unknown(failure)):
            answer = stored(call, failure, headers, trailers)
            await self._settle(call, store, lambda: store.complete(key, token, answer))
        if failure is not None:
            raise failure

    async def _settle(self, call: Call, store: KeyStore, settle: Callable[[], Awaitable[None]]) -> None:
        """Tell the store how the call has ended, although its caller may go meanwhile."""
        if isinstance(store, MemoryKeys):
            await settle()  # never waits
            return
        tried: asyncio.Future[None] = call.loop.create_future()
        call.spawn(self._persist(settle, tried))
        await tried

    async def _persist(self, settle: Callable[[], Awaitable[None]], tried: asyncio.Future[None]) -> None:
        """Try, and try again while the store fails; the caller's answer waits for the first attempt only."""
        for pause in (*_PAUSES, None):
            try:
                await settle()
            except StoreError as error:
                self._count(STORE_FAILED)
                failed: StoreError | None = error
            else:
                failed = None
            if not tried.done():
                tried.set_result(None)
            if failed is None:
                return
            if pause is None:
                _log.error("the answer of a call is lost to its duplicates: %s", failed)
            else:
                await self._clock.sleep(pause)

    async def _given(self, call: Call) -> str:
        """The key that the call came with, "" for none. Raises ServiceError for what is no key."""
        by_header = _unquoted(call.metadata.text(self._header))
        by_field = "" if self._field is None else getattr(await call.request(), self._field)
        given = by_header or by_field
        if not given:
            if self._required:
                self._count(KEY_MISSING)
                raise invalid_argument(self._name, "must be given", reason="IDEMPOTENCY_KEY_MISSING")
            return ""
        if by_header and by_field and by_header != by_field:
            self._count(KEY_INVALID)
            raise invalid_argument(self._name, f"differs from {self._header}", reason="IDEMPOTENCY_KEY_INVALID")
        if not _KEY.fullmatch(given):
            self._count(KEY_INVALID)
            raise invalid_argument(
                self._name, "must be at most 255 printable characters", reason="IDEMPOTENCY_KEY_INVALID"
            )
        return given

    @property
    def _name(self) -> str:
        """What the caller knows the key as."""
        return self._field or self._header


def _unquoted(value: str) -> str:
    """The header's value: a string of structured fields (RFC 9651, section 3.3.3) as well as a bare one."""
    value = value.strip()
    return value[1:-1] if len(value) > 2 and value[0] == value[-1] == '"' else value


def _fingerprint(request: Message) -> bytes:
    """What tells requests apart: as they were understood, not as they were written."""
    return hashlib.sha256(request.SerializeToString(deterministic=True)).digest()


def _did_nothing(error: ServiceError, by_code: Mapping[str, ErrorRow]) -> bool:
    """Whether the error says that the same call may well succeed later."""
    if error.reason == SPENT_REASON:
        return True
    if _is_unknown(error):
        return False
    row = error.row or by_code.get(error.code.name)
    if row is not None and row.retryable:
        return True
    return error.row is None and (error.retry_after is not None or error.code in _NOTHING_DONE)


def _is_unknown(error: ServiceError) -> bool:
    """Whether nobody knows how much of the call was done."""
    return error.code in _UNKNOWN or error.reason == DRAINING_REASON


def _in_flight(wait: float) -> ServiceError:
    return ServiceError(
        StatusCode.ABORTED, "a call with this key is being served", reason="IDEMPOTENCY_KEY_IN_FLIGHT", retry_after=wait
    )


def _keys(policy: IdempotencyPolicy, method: Method, environment: Environment) -> Keys:
    life = KeyLife(policy.ttl, policy.lock_ttl)
    local = MemoryKeys(life, policy.max_memory, environment.clock.now)
    if policy.store == MEMORY:
        return Keys(local, None, lenient=False)
    from ..stores.redis import RedisKeys

    prefix = f"holdfast:{environment.service}:idempotency"
    shared = RedisKeys(redis_store(environment, policy.store), prefix, life, policy.store_timeout)
    keeps = policy.on_store_error == "localFallback"
    count = environment.store_counter("idempotency", policy.on_store_error)
    return Keys(shared, local if keeps else None, lenient=policy.on_store_error == "allow", count=count)


def for_method(method: Method, policy: MethodPolicy, environment: Environment) -> Idempotency | None:
    """The method's stage, None where it is off: a stream cannot be given again."""
    idempotency = policy.idempotency
    if idempotency is None or method.kind is not Kind.UNARY:
        return None
    counters = {
        reason: environment.counter("idempotency", reason, method)
        for reason in (IN_FLIGHT, KEY_INVALID, KEY_MISSING, KEY_REUSED, STORE_FAILED)
    }
    return Idempotency(
        idempotency,
        _keys(idempotency, method, environment),
        environment.errors,
        environment.clock,
        environment.random.getrandbits,
        lambda reason: counters[reason](),
    )
