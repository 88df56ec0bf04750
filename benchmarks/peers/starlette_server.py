"""The same route by hand on Starlette, with protobuf's own JSON: what one writes who has messages and no generator.

Run as `python -m benchmarks.peers.starlette_server PORT` with the emitted project's `src` on the path, whose messages it
uses.
"""

from __future__ import annotations

import sys

import uvicorn
from google.protobuf.json_format import MessageToJson, Parse
from shop.gen.pb.shop.v1.shop_pb2 import Order
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def place_order(request: Request) -> Response:
    """Answer with the order, placed."""
    order = Parse(await request.body(), Order())
    order.customer = request.path_params["customer"]
    order.state = Order.PLACED
    return Response(MessageToJson(order, indent=None), media_type="application/json")


app = Starlette(routes=[Route("/v1/customers/{customer}/orders", place_order, methods=["POST"])])

if __name__ == "__main__":
    port = int(sys.argv[1])
    uvicorn.run(app, port=port, loop="uvloop", http="httptools", lifespan="off", access_log=False, log_level="warning")
