"""Handlers of golden.v1.Modern: yours to fill in; new RPCs are added at the end of the class."""

from __future__ import annotations

from ..gen import errors
from ..gen.pb.golden.v1.dated_pb2 import DatedRequest
from ..gen.pb.golden.v1.modern_pb2 import ModernResponse
from ..gen.services.modern import ModernBase
from ..runtime.call import Call


class Modern(ModernBase):
    """Serves golden.v1.Modern."""

    async def do(self, request: DatedRequest, call: Call) -> ModernResponse:
        """Serves golden.v1.Modern.Do."""
        raise errors.unimplemented("/golden.v1.Modern/Do")
