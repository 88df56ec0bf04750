"""The composition root: which handlers serve, what they are given, and which stages run besides the built-in ones."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .fallbacks import InventoryFallbacks
from .gen.clients import Clients
from .handlers.order_service import OrderService
from .runtime.definition import Application


@asynccontextmanager
async def application(clients: Clients) -> AsyncIterator[Application]:
    """Open what the handlers need, hand it to them, and close it after the last call."""
    yield Application(
        handlers=[OrderService(clients)],
        fallbacks=[InventoryFallbacks()],
        stages=[],  # UserStage("audit", audit, after="authentication"), from .runtime.pipeline
    )
