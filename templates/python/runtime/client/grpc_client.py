"""The base of the generated gRPC clients: the four kinds of RPC over one channel, with deadline and metadata onward."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from google.protobuf.message import Message
from grpc import StatusCode, aio

from ..call import Header
from ..definition import Kind, Method
from ..errors import DependencyError
from ..snapshot import DependencyPolicy, Snapshot
from .attempt import Attempt, serialized
from .onward import metadata_onward, timeout_onward

_OPTIONS: Final = (
    ("grpc.enable_retries", 0),  # retries are the policy's: gRPC's own would multiply them unseen
    ("grpc.service_config_disable_resolution", 1),  # which could turn them on again
)


@dataclass(frozen=True, slots=True)
class Connection:
    """A channel to one dependency, and what holds for the calls over it."""

    channel: aio.Channel
    policy: DependencyPolicy
    propagate: frozenset[str]  # names of metadata that calls hand on


def target_variable(dependency: str) -> str:
    """The environment variable that says where the dependency is, in place of the spec's `target`."""
    return f"{dependency.upper().replace('-', '_')}_TARGET"


@asynccontextmanager
async def connection(dependency: str, policies: Snapshot, environ: Mapping[str, str]) -> AsyncIterator[Connection]:
    """A connection to the dependency: made at the first call, made again when it breaks, closed at the end."""
    policy = policies.dependencies[dependency]
    target = environ.get(target_variable(dependency), "").strip() or policy.target
    async with aio.insecure_channel(target, options=_OPTIONS) as channel:
        yield Connection(channel, policy, frozenset(policies.observability.propagate))


class GrpcClient:
    """Calls one dependency; a generated subclass has a method for each of its RPCs.

    A call that fails raises DependencyError. It is given the least of `timeout` (seconds), the policy's and what the
    current call has left, and is not begun without any; `metadata` goes out beside what is handed on. A subclass
    made without a connection can stand in for the dependency in a test: it overrides what is called.
    """

    DEPENDENCY: ClassVar[str]
    METHODS: ClassVar[tuple[Method, ...]]

    def __init__(self, connection: Connection | None = None) -> None:
        self._connection = connection
        channel = None if connection is None else connection.channel
        self._start = {} if channel is None else {method.path: _starter(channel, method) for method in self.METHODS}

    async def _response(
        self, method: Method, given: Message | AsyncIterable[Message], within: float | None, metadata: Iterable[Header]
    ) -> Any:
        """The response of an RPC that has exactly one; `given` is its request, or its request stream."""
        attempt = self._begin(method, given, within, metadata)
        try:
            return attempt.message(await attempt.call)
        except aio.AioRpcError as error:
            raise attempt.failure(error) from error
        except asyncio.CancelledError:
            attempt.check_cancellation()
            raise
        finally:
            await attempt.end()

    async def _responses(
        self, method: Method, given: Message | AsyncIterable[Message], within: float | None, metadata: Iterable[Header]
    ) -> AsyncGenerator[Any, None]:
        """The response stream of an RPC; begun at the first step, cancelled where it is closed before its end."""
        attempt = self._begin(method, given, within, metadata)
        try:
            async for content in attempt.call:
                yield attempt.message(content)
        except aio.AioRpcError as error:
            raise attempt.failure(error) from error
        except asyncio.CancelledError:
            attempt.check_cancellation()
            raise
        finally:
            await attempt.end()

    def _begin(
        self, method: Method, given: Message | AsyncIterable[Message], within: float | None, metadata: Iterable[Header]
    ) -> Attempt:
        connection = self._connection
        if connection is None:
            raise RuntimeError(f"{type(self).__name__} has no connection, and does not override {method.handler}")
        request = () if isinstance(given, AsyncIterable) else (serialized(method, given),)
        onward = metadata_onward(connection.propagate, metadata)
        policy = connection.policy
        allowed = timeout_onward(within, policy.attempt_timeout, policy.total_timeout)
        if allowed is not None and allowed <= 0:
            text = "no time was left to call it"
            raise DependencyError(self.DEPENDENCY, StatusCode.DEADLINE_EXCEEDED, text, method=method.path, expired=True)
        until = None if allowed is None else asyncio.get_running_loop().time() + allowed
        call = self._start[method.path](*request, timeout=allowed, metadata=onward)
        attempt = Attempt(self.DEPENDENCY, method, call, until)
        if isinstance(given, AsyncIterable):
            attempt.send(given)
        return attempt


def _starter(channel: aio.Channel, method: Method) -> Any:
    """What starts a call of the method, with bytes for messages."""
    match method.kind:
        case Kind.UNARY:
            return channel.unary_unary(method.path)
        case Kind.SERVER_STREAM:
            return channel.unary_stream(method.path)
        case Kind.CLIENT_STREAM:
            return channel.stream_unary(method.path)
        case Kind.BIDI:
            return channel.stream_stream(method.path)
