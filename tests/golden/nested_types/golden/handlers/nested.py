"""Handlers of golden.v1.Nested: yours to fill in; new RPCs are added at the end of the class."""

from __future__ import annotations

from ..gen import errors
from ..gen.pb.golden.v1.nested_pb2 import Other, Outer
from ..gen.services.nested import NestedBase
from ..runtime.call import Call


class Nested(NestedBase):
    """Serves golden.v1.Nested."""

    async def go(self, request: Outer.Request, call: Call) -> Outer.Inner.Response:
        """Serves golden.v1.Nested.Go."""
        raise errors.unimplemented("/golden.v1.Nested/Go")

    async def back(self, request: Other.Request, call: Call) -> Outer:
        """Serves golden.v1.Nested.Back."""
        raise errors.unimplemented("/golden.v1.Nested/Back")
