"""A raw ASGI application on uvicorn with the emitted JSON codec: what the route takes without a runtime around it.

Run as `python -m benchmarks.peers.asgi_server PORT` with the emitted project's `src` on the path, whose messages and codecs
it uses.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn
from shop.gen.codecs import generated
from shop.gen.pb.shop.v1.shop_pb2 import Order
from shop.runtime.protojson.codec import Codec, read_body

Event = MutableMapping[str, Any]

_CODEC = Codec(Order, generated(Order.DESCRIPTOR.full_name))


async def app(scope: Event, receive: Callable[[], Awaitable[Event]], send: Callable[[Event], Awaitable[None]]) -> None:
    """Answer with the order, placed."""
    body = b""
    more = True
    while more:
        event = await receive()
        body += event.get("body", b"")
        more = event.get("more_body", False)
    order: Any = _CODEC.decode(read_body(body))
    order.customer = scope["path"].split("/")[3]
    order.state = Order.PLACED
    answer = _CODEC.encode(order)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


if __name__ == "__main__":
    port = int(sys.argv[1])
    uvicorn.run(app, port=port, loop="uvloop", http="httptools", lifespan="off", access_log=False, log_level="warning")
