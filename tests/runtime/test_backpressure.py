"""Who does not read costs a bounded amount of memory, in every form of stream and both directions, and leaving ends the handler."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from pathlib import Path

import pytest
from grpc import aio
from runtime.definition import Method
from runtime.testing.client import start
from websockets.frames import Frame, Opcode

from tests.runtime.server_process import ServerProcess, started
from tests.runtime.stream_process import MESSAGES
from tests.runtime.wire_service import CHAT, COUNT, GATHER, Item

MIB = 1 << 20
PAUSE = 5.0  # seconds without reading
UPGRADE = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: {}\r\n".format(
    "A" * 22 + "=="
)
REQUESTS = {
    "array": "GET /v1/count/1 HTTP/1.1\r\nhost: x\r\n\r\n",
    "ndjson": "GET /v1/count/1 HTTP/1.1\r\nhost: x\r\naccept: application/x-ndjson\r\n\r\n",
    "sse": "GET /v1/count/1 HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n\r\n",
    "web socket": f"GET /v1/chat HTTP/1.1\r\nhost: x\r\n{UPGRADE}\r\n",
}

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads a process's memory from /proc")


def memory(process: ServerProcess) -> int:
    """The process's resident memory, in bytes."""
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) << 10


async def streaming(process: ServerProcess, request: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection on which the stream has begun, and that takes in little more than what is read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", process.serving["rest_port"], limit=1 << 12)
    writer.write(request.encode())
    await reader.readexactly(10_000)
    return reader, writer


async def growth(process: ServerProcess, before: int) -> int:
    """The most that the process has grown by during the pause, in bytes."""
    most = 0
    for _ in range(20):
        await asyncio.sleep(PAUSE / 20)
        most = max(most, memory(process) - before)
    return most


@pytest.mark.parametrize("form", REQUESTS)
async def test_a_reader_that_stops_holds_memory_and_its_leaving_cancels_the_handler(form: str, tmp_path: Path) -> None:
    with started(tmp_path, module="tests.runtime.stream_process") as process:
        process.serve()
        _, warm = await streaming(process, REQUESTS[form])
        warm.transport.abort()
        json.loads(await asyncio.to_thread(process.line))

        before = memory(process)
        reader, writer = await streaming(process, REQUESTS[form])
        assert await growth(process, before) < 16 * MIB
        await reader.readexactly(10 * MIB)  # it goes on where it stood
        writer.transport.abort()
        cancelled_after = json.loads(await asyncio.to_thread(process.line))["cancelled_after"]
        assert 40_000 < cancelled_after < MESSAGES - 1


@pytest.mark.parametrize("method", [COUNT, CHAT], ids=lambda method: method.name)
async def test_a_grpc_caller_that_stops_reading_holds_memory_too(method: Method, tmp_path: Path) -> None:
    with started(tmp_path, module="tests.runtime.stream_process") as process:
        process.serve()
        async with aio.insecure_channel(f"127.0.0.1:{process.serving['grpc_port']}") as channel:
            warm = start(channel, method, None if method is CHAT else [Item(i32=1)])
            await warm.read()
            warm.cancel()
            json.loads(await asyncio.to_thread(process.line))

            before = memory(process)
            call = start(channel, method, None if method is CHAT else [Item(i32=1)])
            await call.read()
            assert await growth(process, before) < 16 * MIB
            for _ in range(50_000):  # it goes on where it stood
                await call.read()
            call.cancel()
            cancelled_after = json.loads(await asyncio.to_thread(process.line))["cancelled_after"]
        assert 40_000 < cancelled_after < MESSAGES - 1


async def test_a_grpc_caller_is_held_back_by_a_handler_that_does_not_read(tmp_path: Path) -> None:
    with started(tmp_path, module="tests.runtime.stream_process") as process:
        process.serve()
        async with aio.insecure_channel(f"127.0.0.1:{process.serving['grpc_port']}") as channel:
            call, sent = start(channel, GATHER), 0
            assert json.loads(await asyncio.to_thread(process.line)) == {"begun": True}
            before = memory(process)
            with suppress(TimeoutError):
                async with asyncio.timeout(PAUSE):
                    for sent in range(MESSAGES):  # noqa: B007 - how far it came is asked below
                        await call.write(Item(name="x" * 1000))
            assert memory(process) - before < 16 * MIB
            assert sent < MIB // 1000
            call.cancel()
            assert json.loads(await asyncio.to_thread(process.line)) == {"cancelled_after": 0}


async def test_pings_of_a_peer_that_does_not_read_hold_memory(tmp_path: Path) -> None:
    pings = Frame(Opcode.PING, b"x" * 125).serialize(mask=True) * 8000  # a megabyte
    with started(tmp_path, module="tests.runtime.stream_process") as process:
        process.serve()
        _, writer = await streaming(process, REQUESTS["web socket"])
        before = memory(process)
        with suppress(TimeoutError):
            async with asyncio.timeout(PAUSE):
                for _ in range(50):
                    writer.write(pings)
                    await writer.drain()
        assert memory(process) - before < 16 * MIB
        writer.transport.abort()
        json.loads(await asyncio.to_thread(process.line))
