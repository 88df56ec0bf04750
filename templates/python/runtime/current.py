"""The call that the running task serves, for what has no other way to know it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .call import Call

current_call: ContextVar[Call] = ContextVar("current_call")
"""Set by the context stage: what log lines and outgoing calls belong to."""
