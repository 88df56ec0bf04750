"""Handlers of golden.v1.Kinds: yours to fill in; new RPCs are added at the end of the class."""

from __future__ import annotations

from collections.abc import AsyncIterator

from ..gen import errors
from ..gen.pb.golden.v1.kinds_pb2 import Answer, Ask
from ..gen.services.kinds import KindsBase
from ..runtime.call import Call


class Kinds(KindsBase):
    """One RPC of each kind."""

    async def unary(self, request: Ask, call: Call) -> Answer:
        """One and one."""
        raise errors.unimplemented("/golden.v1.Kinds/Unary")

    async def gather(self, requests: AsyncIterator[Ask], call: Call) -> Answer:
        """Many and one."""
        raise errors.unimplemented("/golden.v1.Kinds/Gather")

    async def follow(self, request: Ask, call: Call) -> AsyncIterator[Answer]:
        """One and many."""
        raise errors.unimplemented("/golden.v1.Kinds/Follow")
        yield Answer()  # makes this an async generator

    async def talk(self, requests: AsyncIterator[Ask], call: Call) -> AsyncIterator[Answer]:
        """Many and many."""
        raise errors.unimplemented("/golden.v1.Kinds/Talk")
        yield Answer()  # makes this an async generator
