"""`python -m tests.runtime.stream_process`: streams of a million messages, and a line on stdout when one is cancelled."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from runtime.call import Call
from runtime.lifecycle import main

from tests.runtime import sample_service
from tests.runtime.wire_service import Item, Wire, definition

MESSAGES = 1_000_000


class Endless(Wire):
    """Streams at once, whatever is asked for."""

    async def count(self, request: Any, call: Call) -> AsyncIterator[Any]:
        sent = 0
        try:
            for sent in range(MESSAGES):  # noqa: B007 - told at the end
                yield Item(name="x" * 200)
        except (asyncio.CancelledError, GeneratorExit):
            print(json.dumps({"cancelled_after": sent}), flush=True)
            raise

    async def chat(self, requests: AsyncIterator[Any], call: Call) -> AsyncIterator[Any]:
        async for message in self.count(None, call):
            yield message

    async def gather(self, requests: AsyncIterator[Any], call: Call) -> Any:
        """Reads nothing."""
        print(json.dumps({"begun": True}), flush=True)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            print(json.dumps({"cancelled_after": 0}), flush=True)
            raise


def _patient() -> Any:
    made = definition()
    methods = {path: replace(policy, deadline=None) for path, policy in made.policies.methods.items()}
    return replace(made, policies=replace(made.policies, methods=methods))


if __name__ == "__main__":
    raise SystemExit(main(_patient(), sample_service.application(Endless())))
