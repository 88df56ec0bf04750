"""Handlers of golden.import.v1.Class: yours to fill in; new RPCs are added at the end of the class."""

from __future__ import annotations

from collections.abc import AsyncIterator

from google.protobuf.empty_pb2 import Empty as ProtobufEmpty

from ..gen import errors
from ..gen.pb.golden.import_.v1.names_pb2 import AsyncIterator as ImportAsyncIterator
from ..gen.pb.golden.import_.v1.names_pb2 import Call as ImportCall
from ..gen.pb.golden.import_.v1.names_pb2 import Class_, Empty
from ..gen.pb.golden.import_.v1.names_pb2 import Exception as ImportException
from ..gen.pb.golden.import_.v1.names_pb2 import Kind as ImportKind
from ..gen.pb.golden.import_.v1.names_pb2 import Method as ImportMethod
from ..gen.pb.golden.import_.v1.names_pb2 import errors as Importerrors
from ..gen.pb.golden.import_.v1.names_pb2 import list as Importlist
from ..gen.pb.golden.import_.v1.names_pb2 import object as Importobject
from ..gen.services.class_ import ClassBase
from ..runtime.call import Call


class Class(ClassBase):
    """Serves golden.import.v1.Class."""

    async def import_(self, request: ImportCall, call: Call) -> ImportMethod:
        """Serves golden.import.v1.Class.Import."""
        raise errors.unimplemented("/golden.import.v1.Class/Import")

    async def get_url(self, request: ImportKind, call: Call) -> ImportAsyncIterator:
        """Serves golden.import.v1.Class.GetURL."""
        raise errors.unimplemented("/golden.import.v1.Class/GetURL")

    async def get_url_2(self, request: ImportKind, call: Call) -> ImportAsyncIterator:
        """Serves golden.import.v1.Class.GetUrl."""
        raise errors.unimplemented("/golden.import.v1.Class/GetUrl")

    async def clients_2(self, request: Class_, call: Call) -> Empty:
        """Serves golden.import.v1.Class.Clients."""
        raise errors.unimplemented("/golden.import.v1.Class/Clients")

    async def methods(self, request: ProtobufEmpty, call: Call) -> Empty:
        """Serves golden.import.v1.Class.METHODS."""
        raise errors.unimplemented("/golden.import.v1.Class/METHODS")

    async def init(self, request: Importlist, call: Call) -> AsyncIterator[ImportException]:
        """Serves golden.import.v1.Class.__init__."""
        raise errors.unimplemented("/golden.import.v1.Class/__init__")
        yield ImportException()  # makes this an async generator

    async def b64_decode(self, request: Importobject, call: Call) -> Importerrors:
        """Serves golden.import.v1.Class.B64Decode."""
        raise errors.unimplemented("/golden.import.v1.Class/B64Decode")
