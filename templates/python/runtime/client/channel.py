"""The gRPC channels to a dependency, opened as the policy says."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from grpc import ChannelConnectivity, aio

from ..clock import Clock, Timer
from ..definition import Kind, Method
from ..snapshot import ChannelPolicy, ClientTlsPolicy
from ..watched_files import WatchedFiles
from .renewed import Renewed
from .tls import ClientMaterial


class Channel:
    """One channel, and the calls that run over it."""

    __slots__ = ("_channel", "_connecting", "_starters", "calls", "drained")

    def __init__(self, channel: aio.Channel) -> None:
        self.calls = 0
        self.drained: Timer | None = None  # ends the calls that are left, once another channel is in its place
        self._channel = channel
        self._connecting: asyncio.Task[None] | None = None
        self._starters: dict[str, Any] = {}

    def starter(self, method: Method) -> Any:
        """What starts a call of the method, with bytes for messages."""
        starter = self._starters.get(method.path)
        if starter is None:
            starter = self._starters[method.path] = _starter(self._channel, method)
        return starter

    async def ready(self, within: float, clock: Clock) -> bool:
        """Whether there is a connection, or comes to be one within so many seconds."""
        if self._channel.get_state(try_to_connect=True) is ChannelConnectivity.READY:
            return True
        if within <= 0:
            return False
        if self._connecting is None or self._connecting.done():  # one for all calls that wait
            self._connecting = asyncio.create_task(self._channel.channel_ready())
        connecting = self._connecting
        too_late: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = clock.call_later(within, too_late.cancel)
        try:
            await asyncio.wait((connecting, too_late), return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            too_late.cancel()
        return connecting.done() and not connecting.cancelled() and connecting.exception() is None

    async def close(self) -> None:
        """Release it; calls that still run over it are cancelled."""
        if self.drained is not None:
            self.drained.cancel()
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        await self._channel.close()


def channels(
    target: str,
    policy: ChannelPolicy,
    tls: ClientTlsPolicy | None,
    files: WatchedFiles[ClientMaterial] | None,
    clock: Clock,
) -> Renewed[Channel]:
    """The channels to that target: another one once it has the policy's age, or once the TLS files have changed."""
    material = None if files is None else files.current()
    arguments = options(policy, tls)

    def opened() -> Channel:
        if material is None:
            return Channel(aio.insecure_channel(target, options=arguments))
        return Channel(aio.secure_channel(target, material.credentials, options=arguments))

    def changed() -> bool:
        nonlocal material
        before, material = material, None if files is None else files.current()
        return material is not before

    watching = None if files is None else changed
    return Renewed(opened, policy.max_connection_age, policy.max_connection_age_grace, clock, watching)


async def connected(channels: Renewed[Channel], within: float, clock: Clock) -> bool:
    """Whether there is a connection, or comes to be one within so many seconds."""
    channel = channels.take()
    try:
        return await channel.ready(within, clock)
    finally:
        channels.give_back(channel)


def options(policy: ChannelPolicy, tls: ClientTlsPolicy | None) -> list[tuple[str, int | str]]:
    """The policies as gRPC core's channel arguments."""
    found: list[tuple[str, int | str]] = [
        ("grpc.enable_retries", 0),  # retries are the policy's: gRPC's own would multiply them unseen
        ("grpc.service_config_disable_resolution", 1),  # which could turn them on again
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1000),  # or a dependency that is back were found after two minutes
        ("grpc.use_local_subchannel_pool", 1),  # or a channel would take over the connections of the one it replaces
    ]
    if policy.load_balancing != "pick_first":
        no_settings: dict[str, object] = {}
        config = {"loadBalancingConfig": [{policy.load_balancing: no_settings}]}
        found.append(("grpc.service_config", json.dumps(config)))
    if policy.max_message_bytes is not None:
        found.append(("grpc.max_receive_message_length", policy.max_message_bytes))
        found.append(("grpc.max_send_message_length", policy.max_message_bytes))
    if policy.max_metadata_bytes is not None:
        found.append(("grpc.max_metadata_size", policy.max_metadata_bytes))
        found.append(("grpc.absolute_max_metadata_size", policy.max_metadata_bytes))
    if policy.keepalive is not None:
        found.append(("grpc.keepalive_time_ms", _ms(policy.keepalive.time)))
        found.append(("grpc.keepalive_timeout_ms", _ms(policy.keepalive.timeout)))
        found.append(
            ("grpc.http2.ping_timeout_ms", _ms(policy.keepalive.timeout))
        )  # a minute otherwise, whatever that says
        found.append(("grpc.keepalive_permit_without_calls", int(policy.keepalive.permit_without_calls)))
        found.append(("grpc.http2.max_pings_without_data", 0))  # or they would stop after two
    if tls is not None and tls.server_name:
        found.append(("grpc.default_authority", tls.server_name))
    return found


def _ms(seconds: float) -> int:
    return int(min(seconds * 1000, 2**31 - 1))


def _starter(channel: aio.Channel, method: Method) -> Any:
    match method.kind:
        case Kind.UNARY:
            return channel.unary_unary(method.path)
        case Kind.SERVER_STREAM:
            return channel.unary_stream(method.path)
        case Kind.CLIENT_STREAM:
            return channel.stream_unary(method.path)
        case Kind.BIDI:
            return channel.stream_stream(method.path)
