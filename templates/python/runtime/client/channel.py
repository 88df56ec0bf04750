"""The gRPC channel to a dependency: opened as the policy says, and replaced in time without losing a call."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

from grpc import ChannelConnectivity, aio

from ..clock import Clock, Timer
from ..definition import Kind, Method
from ..snapshot import ChannelPolicy, ClientTlsPolicy
from ..watched_files import WatchedFiles
from .tls import ClientMaterial

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at the TLS files, while there are calls."""

_NEVER: Final = float("inf")


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


class Channels:
    """Gives each attempt the channel of its time, and takes it back.

    A channel is replaced once it is older than the policy's age, or once the TLS files have changed. Calls that have
    begun over it go on, for no longer than the policy's grace; it is closed with the last of them. Nothing happens
    without calls: an old channel that nobody uses does no harm.
    """

    __slots__ = (
        "_aged_at",
        "_clock",
        "_closing",
        "_current",
        "_files",
        "_look_at",
        "_material",
        "_options",
        "_policy",
        "_retired",
        "_target",
    )

    def __init__(
        self,
        target: str,
        policy: ChannelPolicy,
        tls: ClientTlsPolicy | None,
        files: WatchedFiles[ClientMaterial] | None,
        clock: Clock,
    ) -> None:
        self._target = target
        self._policy = policy
        self._files = files
        self._clock = clock
        self._options = options(policy, tls)
        self._material = None if files is None else files.current()
        self._retired: set[Channel] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._current = self._opened()

    def take(self) -> Channel:
        """The channel for a call that begins now. `give_back` must follow."""
        if self._look_at < _NEVER and self._clock.now() >= self._look_at:
            self._look()
        channel = self._current
        channel.calls += 1
        return channel

    def give_back(self, channel: Channel) -> None:
        """The call is over."""
        channel.calls -= 1
        if not channel.calls and channel is not self._current:
            self._close(channel)

    async def connected(self, within: float) -> bool:
        """Whether there is a connection, or comes to be one within so many seconds."""
        channel = self.take()
        try:
            return await channel.ready(within, self._clock)
        finally:
            self.give_back(channel)

    async def close(self) -> None:
        """Close everything; calls that still run are cancelled."""
        for channel in (*self._retired, self._current):
            self._close(channel)
        await asyncio.gather(*self._closing)

    def _opened(self) -> Channel:
        now = self._clock.now()
        self._aged_at = _NEVER if self._policy.max_connection_age is None else now + self._policy.max_connection_age
        self._look_at = self._aged_at if self._files is None else min(self._aged_at, now + LOOK_EVERY)
        if self._material is None:
            return Channel(aio.insecure_channel(self._target, options=self._options))
        return Channel(aio.secure_channel(self._target, self._material.credentials, options=self._options))

    def _look(self) -> None:
        material = None if self._files is None else self._files.current()
        if material is self._material and self._clock.now() < self._aged_at:
            self._look_at = min(self._aged_at, self._clock.now() + LOOK_EVERY)
            return
        self._material = material
        old, self._current = self._current, self._opened()
        if old.calls:
            self._retired.add(old)
            old.drained = self._clock.call_later(self._policy.max_connection_age_grace, lambda: self._close(old))
        else:
            self._close(old)

    def _close(self, channel: Channel) -> None:
        self._retired.discard(channel)
        task = asyncio.create_task(channel.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


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
