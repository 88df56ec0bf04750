"""A stage that tells every caller which region has served them."""

from __future__ import annotations

import os

from ..runtime.call import Call
from ..runtime.pipeline import Endpoint

HEADER = "x-acme-region"
VARIABLE = "ACME_REGION"


async def region(call: Call, proceed: Endpoint) -> None:
    """Answers with the region that the environment names; a call that fails is told, too."""
    call.set_header(HEADER, os.environ.get(VARIABLE, "local"))
    await proceed(call)
