"""Calls a running `orders` over both protocols: an order, errors, a deadline, a dependency that is down, a stop."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

SLOW = 1500  # pieces: the warehouse takes 1.5 s to count them
PENDING = 40  # calls in flight when the service is told to stop
PATIENCE = 30  # seconds
IN_FLIGHT = "holdfast_server_calls_in_flight"


class Dependencies:
    """The inventory, the payments and the rates as a process; `targets` is the environment by which they are found."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("dependencies.py")
        self.process = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        if not line:
            raise SystemExit("the dependencies did not start")
        print(f"  {line}")
        self.targets: Mapping[str, str] = json.loads(line)

    def stop(self) -> None:
        """Take both down at once."""
        self.process.kill()
        self.process.wait()


class Service:
    """The emitted service as a process, on ports that are free."""

    def __init__(self, project: Path, targets: Mapping[str, str]) -> None:
        self.log = project / "service.log"
        ports = dict.fromkeys(("GRPC_PORT", "REST_PORT", "ADMIN_PORT"), "0")
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "orders"],
                env={**os.environ, **ports, **targets, "HOST": "127.0.0.1"},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        if not line:
            raise SystemExit(f"the service did not start:\n{self.log.read_text()}")
        print(f"  {line}")
        serving = json.loads(line)
        self.grpc, self.rest, self.admin = serving["grpc_port"], serving["rest_port"], serving["admin_port"]

    def in_flight(self) -> float:
        """How many calls its own metrics say it is serving."""
        lines = http_call(self.admin, "GET", "/metrics")[1].decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(IN_FLIGHT))

    def readiness(self) -> int:
        """The HTTP status of its readiness probe."""
        return http_call(self.admin, "GET", "/readyz")[0]


def http_call(
    port: int, verb: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    """One HTTP request, with a JSON body if any: the status and the body of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    payload = None if body is None else json.dumps(body)
    connection.request(verb, path, payload, {"content-type": "application/json", **(headers or {})})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def rest(service: Service, path: str, body: object, **headers: str) -> tuple[int, Any]:
    """One POST: the status and the decoded answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    status, content = http_call(service.rest, "POST", path, body, named)
    return status, json.loads(content)


def grpc_error(rpc: Any, request: object, timeout: float) -> str:
    """The code and the message of a gRPC call that fails."""
    try:
        rpc(request, timeout=timeout)
    except grpc.RpcError as error:
        return f"{error.code().name} {error.details()}"
    return "OK"


def basket(quantity: int, sku: str) -> dict[str, Any]:
    return {"lines": [{"sku": sku, "quantity": quantity}]}


def heading(what: str) -> None:
    print(f"\n\033[1m== {what}\033[0m" if sys.stdout.isatty() else f"\n== {what}", flush=True)


def show(what: str, answer: object) -> None:
    """One line of what was asked and what came back."""
    print(f"  {what:<40} {answer}", flush=True)


def until(condition: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    ends = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > ends:
            raise SystemExit("that did not happen in time")
        time.sleep(0.01)


def both_protocols(service: Service, stub: Any, pb: Any) -> None:
    """An order placed over REST, found over gRPC."""
    heading("The same handlers over REST and gRPC")
    status, order = rest(service, "/v1/customers/ada/orders", basket(2, "pen"))
    total = f"{order['total']['units']} {order['total']['currencyCode']}"
    show("REST  POST /v1/customers/ada/orders", f"{status} {order['name']} {order['state']} {total}")
    found = stub.GetOrder(pb.GetOrderRequest(name=order["name"]), timeout=PATIENCE)
    show("gRPC  GetOrder", f"OK {found.name} {pb.Order.State.Name(found.state)} {found.total.units} EUR")


def one_error(service: Service, stub: Any, pb: Any) -> None:
    """A row of the error table over both protocols, in two languages."""
    heading("One row of the error table, both ways, in the caller's language")
    for language in ("en", "zh"):
        status, body = rest(service, "/v1/customers/ada/orders", basket(9, "ink"), accept_language=language)
        error = body["error"]
        show(f"REST  9 of 3 inks, Accept-Language: {language}", f"{status} {error['status']} {error['message']}")
    order = pb.Order(lines=[pb.Line(sku="ink", quantity=9)])
    request = pb.CreateOrderRequest(parent="customers/ada", order=order)
    show("gRPC  9 of 3 inks", grpc_error(stub.CreateOrder, request, PATIENCE))


def another_currency(service: Service, stub: Any, pb: Any) -> None:
    """A quote that needs a rate, which a dependency has over HTTP."""
    heading("A dependency over HTTP")
    for currency in ("USD", "XXX"):
        status, body = rest(service, "/v1/orders:quote", {**basket(2, "pen"), "currencyCode": currency})
        answer = (
            f"{body['total']['units']}.{body['total']['nanos'] // 10**7} USD"
            if status == 200
            else body["error"]["message"]
        )
        show(f"REST  a quote in {currency}", f"{status} {answer}")


def a_deadline(service: Service, stub: Any, pb: Any) -> None:
    """A quote that takes 1.5 s, with a tenth of a second to give it in."""
    heading("A deadline ends the work, over both protocols")
    started = time.monotonic()
    status, body = rest(service, "/v1/orders:quote", basket(SLOW, "pen"), grpc_timeout="100m")
    show("REST  Grpc-Timeout: 100m", f"{status} {body['error']['status']} after {time.monotonic() - started:.2f} s")
    request = pb.QuoteOrderRequest(lines=[pb.Line(sku="pen", quantity=SLOW)])
    started = time.monotonic()
    error = grpc_error(stub.QuoteOrder, request, 0.1)
    show("gRPC  timeout of 0.1 s", f"{error.partition(' ')[0]} after {time.monotonic() - started:.2f} s")


def a_dependency_that_is_down(service: Service, stub: Any, pb: Any) -> None:
    """An order that finds no inventory: the caller reads the code, the log which dependency it was, and why."""
    heading("A dependency that is down")
    status, body = rest(service, "/v1/customers/ada/orders", basket(1, "pen"))
    error = body["error"]
    show("REST  an order without an inventory", f"{status} {error['status']} {error['message']}")
    order = pb.Order(lines=[pb.Line(sku="pen", quantity=1)])
    request = pb.CreateOrderRequest(parent="customers/ada", order=order)
    show("gRPC  an order without an inventory", grpc_error(stub.CreateOrder, request, PATIENCE))


def a_stop_under_load(service: Service, stub: Any, pb: Any) -> bool:
    """SIGTERM with calls in flight on both protocols; whether none of them was lost."""
    heading(f"SIGTERM with {PENDING} calls in flight")
    request = pb.QuoteOrderRequest(lines=[pb.Line(sku="pen", quantity=SLOW)])
    half = PENDING // 2
    with ThreadPoolExecutor(half) as threads:
        over_grpc = [stub.QuoteOrder.future(request, timeout=PATIENCE) for _ in range(half)]
        over_rest = [threads.submit(rest, service, "/v1/orders:quote", basket(SLOW, "pen")) for _ in range(half)]
        until(lambda: service.in_flight() >= PENDING)
        service.process.send_signal(signal.SIGTERM)
        until(lambda: service.readiness() == http.client.SERVICE_UNAVAILABLE)
        show("readiness, at once", http.client.SERVICE_UNAVAILABLE)
        whole = sum(call.exception() is None for call in over_grpc)
        show("answered over gRPC", f"{whole} of {half}")
        over_rest = [call for call in over_rest if call.exception() is None and call.result()[0] == http.client.OK]
        show("answered over REST", f"{len(over_rest)} of {half}")
    code = service.process.wait(PATIENCE)
    show("exit code, once drained", code)
    return whole == len(over_rest) == half and code == 0


def main() -> int:
    """Run the tour through the project whose folder is given; 0 when no call was lost."""
    project = Path(sys.argv[1])
    heading("Start the services that it calls, and it")
    dependencies = Dependencies()
    service = Service(project, dependencies.targets)
    try:
        from orders.gen.pb.orders.v1 import orders_pb2 as pb
        from orders.gen.pb.orders.v1 import orders_pb2_grpc as pb_grpc

        with grpc.insecure_channel(f"127.0.0.1:{service.grpc}") as channel:
            stub = pb_grpc.OrderServiceStub(channel)
            for sight in (both_protocols, one_error, another_currency, a_deadline):
                sight(service, stub, pb)
            dependencies.stop()
            a_dependency_that_is_down(service, stub, pb)
            whole = a_stop_under_load(service, stub, pb)
    finally:
        service.process.kill()
        dependencies.stop()
    print(f"\nThe project is in {project}: read its README.md next. Its log is service.log.")
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
