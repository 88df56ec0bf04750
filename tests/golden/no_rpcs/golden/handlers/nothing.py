"""Handlers of golden.v1.Nothing: yours to fill in; new RPCs are added at the end of the class."""

from __future__ import annotations

from ..gen.services.nothing import NothingBase


class Nothing(NothingBase):
    """Does nothing yet."""

    # No RPC in the contract yet.
