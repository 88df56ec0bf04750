"""Handlers of golden.v1.Library: yours to fill in; new RPCs are added at the end of the class."""

from __future__ import annotations

from google.type.date_pb2 import Date

from ..gen import errors
from ..gen.pb.golden.books.types_pb2 import Item
from ..gen.pb.golden.people.types_pb2 import Item as PeopleItem
from ..gen.services.library import LibraryBase
from ..runtime.call import Call


class Library(LibraryBase):
    """Serves golden.v1.Library."""

    async def lend(self, request: Item, call: Call) -> PeopleItem:
        """Serves golden.v1.Library.Lend."""
        raise errors.unimplemented("/golden.v1.Library/Lend")

    async def due(self, request: PeopleItem, call: Call) -> Date:
        """Serves golden.v1.Library.Due."""
        raise errors.unimplemented("/golden.v1.Library/Due")
