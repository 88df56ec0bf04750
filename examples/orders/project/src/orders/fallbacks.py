"""What answers where a dependency cannot."""

from __future__ import annotations

import logging

from google.protobuf.empty_pb2 import Empty

from .gen.clients.inventory import InventoryFallbacksBase
from .gen.pb.inventory.v1.inventory_pb2 import ReleaseRequest

_log = logging.getLogger(__name__)


class InventoryFallbacks(InventoryFallbacksBase):
    """Answers in the place of inventory."""

    async def release_later(self, request: ReleaseRequest) -> Empty:
        """A cancelled order is cancelled, whether inventory is there to hear of it or not: somebody gives it back."""
        _log.warning("what %s holds is still to be given back", request.order)
        return Empty()
