"""The services that `orders` calls, as small as can be: an inventory, payments, and rates over HTTP, each on a free port.

Needs the emitted project's messages (`pip install -e` of it). Prints one line of JSON, the environment that makes
`python -m orders` find them, and serves until it is told to stop.
"""

# ruff: noqa: N802 - gRPC's servicers have the RPCs' names

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.empty_pb2 import Empty
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_status.rpc_status import to_status
from orders.gen.pb.inventory.v1 import inventory_pb2, inventory_pb2_grpc
from orders.gen.pb.payments.v1 import payments_pb2, payments_pb2_grpc

DOMAIN = "inventory.example.com"


class Inventory(inventory_pb2_grpc.InventoryServiceServicer):
    """A hundred pens and three inks."""

    def __init__(self) -> None:
        self._free = Counter({"pen": 100, "ink": 3})
        self._held: dict[str, Counter[str]] = {}

    def GetStock(self, request: Any, context: Any) -> Any:
        return inventory_pb2.Stock(sku=request.sku, available=self._free[request.sku])

    def Reserve(self, request: Any, context: Any) -> Any:
        if request.order not in self._held:
            wanted = Counter(dict(request.quantities))
            for sku, quantity in wanted.items():
                if quantity > self._free[sku]:
                    context.abort_with_status(to_status(out_of_stock(sku, self._free[sku])))
            self._free -= wanted
            self._held[request.order] = wanted
        return inventory_pb2.Reservation(id=request.order)

    def Release(self, request: Any, context: Any) -> Any:
        self._free += self._held.pop(request.order, Counter())
        return Empty()


class Payments(payments_pb2_grpc.PaymentServiceServicer):
    """Takes every card, and charges an order once."""

    def __init__(self) -> None:
        self._charged: set[str] = set()

    def Charge(self, request: Any, context: Any) -> Any:
        self._charged.add(request.order)
        return payments_pb2.Receipt(id=request.order)


def out_of_stock(sku: str, available: int) -> Status:
    """The inventory's own error: the shop turns it into a row of its table."""
    info = ErrorInfo(reason="OUT_OF_STOCK", domain=DOMAIN, metadata={"sku": sku, "available": str(available)})
    detail = AnyMessage()
    detail.Pack(info)
    return Status(code=grpc.StatusCode.FAILED_PRECONDITION.value[0], message=f"no {sku} in aisle 7", details=[detail])


class Rates(BaseHTTPRequestHandler):
    """`GET /rates/EUR?to=USD`: what a euro is worth, in dollars alone."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        known = self.path == "/rates/EUR?to=USD"
        body = json.dumps({"rate": 1.25} if known else {"title": "there is no such rate"}).encode()
        self.send_response(HTTPStatus.OK if known else HTTPStatus.NOT_FOUND)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""


def main() -> None:
    """Serve all until the process is stopped."""
    inventory, payments = (grpc.server(ThreadPoolExecutor(1)) for _ in range(2))
    inventory_pb2_grpc.add_InventoryServiceServicer_to_server(Inventory(), inventory)
    payments_pb2_grpc.add_PaymentServiceServicer_to_server(Payments(), payments)
    servers = {"INVENTORY_TARGET": inventory, "PAYMENTS_TARGET": payments}
    targets = {name: f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}" for name, server in servers.items()}
    rates = ThreadingHTTPServer(("127.0.0.1", 0), Rates)
    targets["FX_TARGET"] = f"http://127.0.0.1:{rates.server_port}"
    Thread(target=rates.serve_forever, daemon=True).start()
    for server in servers.values():
        server.start()
    print(json.dumps(targets), flush=True)
    inventory.wait_for_termination()


if __name__ == "__main__":
    main()
