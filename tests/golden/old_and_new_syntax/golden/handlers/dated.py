"""Handlers of golden.v1.Dated: yours to fill in; new RPCs are added at the end of the class."""

from __future__ import annotations

from ..gen import errors
from ..gen.pb.golden.v1.dated_pb2 import DatedRequest
from ..gen.services.dated import DatedBase
from ..runtime.call import Call


class Dated(DatedBase):
    """Serves golden.v1.Dated."""

    async def do(self, request: DatedRequest, call: Call) -> DatedRequest.Response:
        """Serves golden.v1.Dated.Do."""
        raise errors.unimplemented("/golden.v1.Dated/Do")
