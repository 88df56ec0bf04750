"""One gRPC call as soon as a server takes connections: what the start-up benchmark waits for."""

from __future__ import annotations

import socket
import time

from benchmarks.load.grpc_unary import first_request, has_answer
from benchmarks.servers import CannotRunError, Server

_SECONDS = 30.0


def first_call(server: Server) -> None:
    """Return once a call is answered with a message.

    Connections are tried without a pause for breath; this process has a core of its own. Raises CannotRunError where
    the server ends instead, or takes too long.
    """
    until = time.perf_counter() + _SECONDS
    while time.perf_counter() < until:
        server.check()
        try:
            if _answered(server.port, until):
                return
        except OSError:
            time.sleep(0.0005)
    raise CannotRunError(f"{server.peer.name} did not answer within {_SECONDS:g} s")


def _answered(port: int, until: float) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
        connection.sendall(first_request())
        received = b""
        while time.perf_counter() < until and (data := connection.recv(1 << 16)):
            received += data
            if has_answer(received):
                return True
    return False
