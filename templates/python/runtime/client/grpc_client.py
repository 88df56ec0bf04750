"""The base of the generated gRPC clients: the four kinds of RPC over one channel, each through its chain of policies."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from google.protobuf.message import Message

from ..call import Header
from ..definition import Method
from ..errors import PeerError
from ..targets import target_of
from .chain import composed
from .channel import Channel, channels, connected
from .delivery import delivered
from .environment import Dependency, Outbound, target_of_rpc
from .grpc_transport import GrpcTransport
from .onward import metadata_onward
from .outgoing import Endpoint, Outgoing
from .peer_errors import PeerErrors, by_reason
from .reachability import Probe
from .renewed import Renewed
from .tls import watched


@dataclass(frozen=True, slots=True)
class Connection:
    """The channels to one dependency, and what holds for the calls over them."""

    channels: Renewed[Channel]
    dependency: Dependency
    propagate: frozenset[str]  # names of metadata that calls hand on

    def endpoint(self, method: Method, errors: PeerErrors) -> Endpoint:
        """The chain of the RPC's calls, which may fail with `errors`."""
        target = target_of_rpc(self.dependency.policy, method)
        clock = self.dependency.outbound.clock
        transport = GrpcTransport(
            self.dependency.name, method, self.channels, target.policy.connect_timeout, errors, clock
        )
        return composed(target, self.dependency, transport)


@asynccontextmanager
async def connection(dependency: str, outbound: Outbound) -> AsyncIterator[Connection]:
    """A connection to the dependency: made at the first call, made again when it breaks, closed at the end.

    Raises StartError for TLS files that are no good.
    """
    policy = outbound.policies.dependencies[dependency]
    target = target_of(dependency, policy, outbound.environ)
    files = None if policy.tls is None else watched(dependency, policy.tls)
    clock = outbound.clock
    opened = channels(target, policy.channel, policy.tls, files, clock)
    outbound.probes.append(Probe(dependency, policy.optional, lambda within: connected(opened, within, clock)))
    try:
        propagate = frozenset(outbound.policies.observability.propagate)
        called = Dependency(dependency, policy, outbound)
        try:
            yield Connection(opened, called, propagate)
        finally:
            await called.close()
    finally:
        await opened.close()


class GrpcClient:
    """Calls one dependency; a generated subclass has a method for each of its RPCs.

    A call that fails raises DependencyError. It is given the least of `timeout` (seconds), the policy's and what the
    current call has left, and is not begun without any; `metadata` goes out beside what is handed on. A subclass
    made without a connection can stand in for the dependency in a test: it overrides what is called.
    """

    DEPENDENCY: ClassVar[str]
    METHODS: ClassVar[tuple[Method, ...]]
    ERRORS: ClassVar[tuple[type[PeerError], ...]] = ()  # of the dependency's error table, where it is known

    def __init__(self, connection: Connection | None = None) -> None:
        self._connection = connection
        errors = by_reason(self.ERRORS)
        self._endpoints: Mapping[str, Endpoint] = (
            {} if connection is None else {method.path: connection.endpoint(method, errors) for method in self.METHODS}
        )

    async def _response(
        self, method: Method, given: Message | AsyncIterable[Message], within: float | None, metadata: Iterable[Header]
    ) -> Any:
        """The response of an RPC that has exactly one; `given` is its request, or its request stream."""
        outgoing = self._outgoing(method, given, within, metadata)
        await self._endpoints[method.path](outgoing)
        return outgoing.response

    def _responses(
        self, method: Method, given: Message | AsyncIterable[Message], within: float | None, metadata: Iterable[Header]
    ) -> AsyncGenerator[Any, None]:
        """The response stream of an RPC; begun at the first step, cancelled where it is closed before its end."""
        return delivered(
            lambda outgoing: self._endpoints[method.path](outgoing), self._outgoing(method, given, within, metadata)
        )

    def _outgoing(
        self, method: Method, given: Message | AsyncIterable[Message], within: float | None, metadata: Iterable[Header]
    ) -> Outgoing:
        if self._connection is None:
            raise RuntimeError(f"{type(self).__name__} has no connection, and does not override {method.handler}")
        if not method.kind.streams_requests and not isinstance(given, method.request):
            raise TypeError(f"{method.path} takes {method.request.__name__}, not {type(given).__name__}")
        return Outgoing(method.path, given, metadata_onward(self._connection.propagate, metadata), within)
