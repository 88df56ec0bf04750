"""An emitted service, told to stop with 200 calls in flight over both protocols, answers every one of them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

CONTRACT = """\
syntax = "proto3";
package hold.v1;
import "google/api/annotations.proto";
service Holder {
  rpc Hold(Ticket) returns (Ticket) { option (google.api.http) = {post: "/v1/hold" body: "*"}; }
}
message Ticket { string id = 1; }
"""
SPEC = """\
apiVersion: resilience.sre.io/v1
kind: ServiceResiliencePolicy
metadata: {name: hold}
spec:
  deadline: {default: 30s, max: 30s}
  lifecycle: {propagationDelay: 200ms, drainTimeout: 20s, terminationGracePeriod: 30s}
  server: {workers: 1}
"""
CALLS = 200
# Holds every call until a line comes on stdin: no clock decides when the calls end.
HANDLER = f"""\
import asyncio
import sys

from ..gen.services.holder import HolderBase


class Holder(HolderBase):
    def __init__(self, clients):
        super().__init__(clients)
        self._waiting = 0
        self._released = asyncio.Event()
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), self._released.set)

    async def hold(self, request, call):
        self._waiting += 1
        if self._waiting == {CALLS}:
            print("full", flush=True)
        await self._released.wait()
        return request
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hold")
    (folder / "hold.proto").write_text(CONTRACT)
    (folder / "resilience.yaml").write_text(SPEC)
    command = [sys.executable, "-m", "generator", "new", str(folder / "hold"), "--contract", str(folder / "hold.proto")]
    subprocess.run([*command, "--spec", str(folder / "resilience.yaml"), "--defaults"], check=True, capture_output=True)
    (folder / "hold/src/hold/handlers/holder.py").write_text(HANDLER)
    return folder / "hold"


async def over_rest(port: int, ticket: str) -> str:
    """The id that comes back from a REST call on a connection of its own, "" where none does."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps({"id": ticket}).encode()
    head = f"POST /v1/hold HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    status = await reader.readline()
    length = 0
    while (line := await reader.readline()) not in (b"\r\n", b""):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    answer = await reader.readexactly(length)
    writer.close()
    return json.loads(answer)["id"] if b" 200 " in status else ""


async def over_grpc(channel: grpc.aio.Channel, ticket: str) -> str:
    """The id that comes back from a gRPC call. The message is {string id = 1}, written by hand."""
    call = channel.unary_unary("/hold.v1.Holder/Hold")
    answer: bytes = await call(b"\x0a" + bytes([len(ticket)]) + ticket.encode(), timeout=30)
    return answer[2:].decode()


async def refused(port: int) -> None:
    """Return once nobody listens on that port any more."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            return
        except ConnectionResetError:  # it was in the queue of the listener that closed just now
            continue
        writer.close()
        await asyncio.sleep(0)


async def stop_under_load(project: Path) -> tuple[set[str], int]:
    """The ids that came back of the calls in flight when the process was told to stop, and its exit code."""
    free = {"GRPC_PORT": "0", "REST_PORT": "0", "ADMIN_PORT": "0", "HOST": "127.0.0.1", "LOG_LEVEL": "WARNING"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hold"),
        cwd=project / "src",
        env={**os.environ, **free},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    try:
        ports = json.loads(await process.stdout.readline())
        async with grpc.aio.insecure_channel(f"127.0.0.1:{ports['grpc_port']}") as channel:
            calls = [over_grpc(channel, f"g{number}") for number in range(CALLS // 2)]
            calls += [over_rest(ports["rest_port"], f"r{number}") for number in range(CALLS // 2)]
            answers = asyncio.gather(*calls)
            assert await process.stdout.readline() == b"full\n"
            process.send_signal(signal.SIGTERM)
            await refused(ports["rest_port"])
            await refused(ports["grpc_port"])
            process.stdin.write(b"go\n")
            await process.stdin.drain()
            return set(await answers), await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("run", range(20))
async def test_no_call_in_flight_is_lost_when_the_listeners_close(project: Path, run: int) -> None:
    answered, code = await asyncio.wait_for(stop_under_load(project), timeout=60)
    assert answered == {f"{protocol}{number}" for protocol in "gr" for number in range(CALLS // 2)}
    assert code == 0
