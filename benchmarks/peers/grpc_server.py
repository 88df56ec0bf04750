"""A bare grpc.aio server over the generated servicer: no stage, no metric, no log line.

Run as `python -m benchmarks.peers.grpc_server PORT [--uvloop]` with the emitted project's `src` on the path, whose
protobuf modules it uses.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import grpc
from shop.gen.pb.shop.v1 import shop_pb2, shop_pb2_grpc


class OrderService(shop_pb2_grpc.OrderServiceServicer):  # type: ignore[misc]  # emitted, and not there to check
    """The handler that the emitted service has too."""

    async def PlaceOrder(self, request: Any, context: Any) -> Any:  # noqa: N802 - protoc's name
        request.state = shop_pb2.Order.PLACED
        return request


async def serve(port: int) -> None:
    """Serve until the process is ended."""
    server = grpc.aio.server()
    shop_pb2_grpc.add_OrderServiceServicer_to_server(OrderService(), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    if "--uvloop" in sys.argv:
        import uvloop

        uvloop.run(serve(int(sys.argv[1])))
    else:
        asyncio.run(serve(int(sys.argv[1])))
