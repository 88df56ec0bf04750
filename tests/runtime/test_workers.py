"""Workers: one set of ports, one serving line, metrics that add up, deaths made good, and no orphans."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from tests.runtime.sample_service import Note
from tests.runtime.server_process import PATIENCE, ServerProcess, started


def until(condition: Callable[[], bool], what: str) -> None:
    """Poll another process's state, which tells nobody when it changes."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def workers(server: ServerProcess) -> list[dict[str, int]]:
    found: list[dict[str, int]] = server.admin("/healthz").json()["workers"]
    return found


def pids(server: ServerProcess) -> set[int]:
    return {worker["pid"] for worker in workers(server)}


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def pid_that_answers(server: ServerProcess) -> int:
    with server.echo() as echo:
        number: int = echo(Note(text="pid")).number
        return number


def multiprocess_folder(pid: int) -> Path:
    environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    (value,) = [entry for entry in environ if entry.startswith(b"PROMETHEUS_MULTIPROC_DIR=")]
    return Path(os.fsdecode(value.partition(b"=")[2]))


def test_two_workers_share_the_ports_and_stop_with_the_supervisor(tmp_path: Path) -> None:
    with started(tmp_path, WORKERS="2") as server:
        server.serve()
        both = pids(server)
        assert len(both) == 2
        assert server.serving["pid"] == server.process.pid
        seen: set[int] = set()
        until(lambda: seen.add(pid_that_answers(server)) or seen == both, "one worker gets no connection")  # type: ignore[func-returns-value]
        folder = multiprocess_folder(min(both))
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0
        assert not any(alive(pid) for pid in both)
        assert not folder.exists()
        assert not folder.parent.exists()
        stopped = [line["logger"] for line in server.logs() if line.get("event") == "stopped"]
    assert sorted(stopped) == ["runtime.lifecycle", "runtime.lifecycle", "runtime.workers"]


def test_workers_are_ready_once_one_of_them_has_reached_what_it_needs(tmp_path: Path) -> None:
    with socket.socket() as needed:
        needed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{needed.getsockname()[1]}"
        with started(tmp_path, WORKERS="2", SAMPLE_NEEDS=url) as server:
            server.serve()
            assert server.admin("/readyz").status_code == 503
            with server.echo() as echo:
                assert echo(Note(text="a")).text == "a", "whoever calls is served"
            needed.listen()
            until(lambda: server.admin("/readyz").status_code == 200, "it does not get ready")
            server.signal(signal.SIGTERM)
            assert server.exit_code() == 0
    assert "needed cannot be reached" in server.text()


def test_the_supervisor_holds_no_grpc(tmp_path: Path) -> None:
    with started(tmp_path, WORKERS="2") as server:
        server.serve()
        assert "cygrpc" not in Path(f"/proc/{server.process.pid}/maps").read_text()
        assert "cygrpc" in Path(f"/proc/{min(pids(server))}/maps").read_text()


def test_metrics_add_up_across_workers_and_outlive_a_worker(tmp_path: Path) -> None:
    series = 'rpc_server_call_duration_seconds_count{rpc_method="sample.v1.Sample/Echo",'

    def total() -> float:
        lines = server.admin("/metrics").text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(series))

    with started(tmp_path, WORKERS="2") as server:
        server.serve()
        both = pids(server)
        counts = dict.fromkeys(both, 0)
        while not all(counts.values()):
            counts[pid_that_answers(server)] += 1
        until(lambda: total() == sum(counts.values()), "calls are missing")
        assert 'target_info{service_name="sample",team="shop"} 1.0' in server.admin("/metrics").text
        os.kill(min(both), signal.SIGKILL)
        until(lambda: sum(worker["restarts"] for worker in workers(server)) == 1, "no restart")
        assert total() == sum(counts.values())
        assert "holdfast_worker_restarts_total 1.0" in server.admin("/metrics").text


def test_the_worst_score_of_all_workers_is_shown(tmp_path: Path) -> None:
    def shown() -> dict[str, Any]:
        found: dict[str, Any] = server.admin("/healthz").json().get("resilience", {})
        return found

    with started(tmp_path, WORKERS="2", SAMPLE_SCORE="1") as server, server.serve().echo() as echo:
        pid = echo(Note(text="pid")).number
        (failing,) = (worker["worker"] for worker in workers(server) if worker["pid"] == pid)
        for _ in range(20):
            with pytest.raises(grpc.RpcError):
                echo(Note(text="fail"))
        until(lambda: shown().get("degraded") is True, "the failing worker's score is not shown")  # after its window
        assert (shown()["worker"], shown()["score"]) == (failing, 0.0)
        assert "20 of " in shown()["signals"]["errorRate"]["why"]
        assert server.admin("/readyz").status_code == 200


def test_a_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    with started(tmp_path, WORKERS="2") as server:
        server.serve()
        before = pids(server)
        with server.echo() as echo, pytest.raises(grpc.RpcError):
            echo(Note(text="die"))
        until(lambda: len(pids(server) - before) == 1 and all(w["serving"] for w in workers(server)), "no replacement")
        assert server.admin("/readyz").status_code == 200
        in_flight = 'holdfast_server_calls_in_flight{rpc_method="sample.v1.Sample/Echo"} 0.0'
        assert in_flight in server.admin("/metrics").text, "the dead worker's call counts for ever"
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0


def test_what_an_operator_says_to_a_breaker_reaches_every_worker_once(tmp_path: Path) -> None:
    echo = "server/sample.v1.Sample/Echo"

    def states(answer: httpx.Response) -> list[str]:
        return [worker["breakers"][echo] for worker in answer.json()["workers"]]

    with started(tmp_path, WORKERS="2") as server:
        server.serve()
        assert states(server.admin("/breakers")) == ["closed"] * 2
        assert states(server.admin(f"/breakers/{echo}/force-open", "POST")) == ["forced_open"] * 2
        refused = [pytest.raises(grpc.RpcError, match="left alone") for _ in range(4)]
        for each in refused:
            with server.echo() as call, each:
                call(Note(text="a"))
        assert server.admin("/breakers/server/sample.v1.Sample/Nope/reset", "POST").status_code == 404
        os.kill(min(pids(server)), signal.SIGKILL)
        until(lambda: sum(worker["restarts"] for worker in workers(server)) == 1, "no restart")
        until(lambda: all(worker["serving"] for worker in workers(server)), "no replacement")
        assert sorted(states(server.admin("/breakers"))) == ["closed", "forced_open"], "the new one has not been told"
        assert states(server.admin(f"/breakers/{echo}/reset", "POST")) == ["closed"] * 2
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0


def test_workers_whose_supervisor_is_killed_drain_and_go(tmp_path: Path) -> None:
    with started(tmp_path, WORKERS="2") as server, server.serve().echo() as echo:
        both = pids(server)
        answer = echo.future(Note(text="wait", number=300))
        assert server.line() == "waiting"
        os.kill(server.process.pid, signal.SIGKILL)
        assert answer.result(PATIENCE).number == 300
        until(lambda: not any(alive(pid) for pid in both), "orphans")


def test_a_call_in_flight_is_answered_when_the_supervisor_is_told_to_stop(tmp_path: Path) -> None:
    with started(tmp_path, WORKERS="2") as server, server.serve().echo() as echo:
        answer = echo.future(Note(text="wait", number=300))
        assert server.line() == "waiting"
        server.signal(signal.SIGINT)
        assert answer.result(PATIENCE).number == 300
        assert server.exit_code() == 0


def test_ctrl_c_reaches_the_workers_once(tmp_path: Path) -> None:
    with started(tmp_path, WORKERS="2") as server, server.serve().echo() as echo:
        answer = echo.future(Note(text="wait", number=500))
        assert server.line() == "waiting"
        os.killpg(server.process.pid, signal.SIGINT)  # as a terminal does, to its whole foreground group
        assert answer.result(PATIENCE).number == 500
        assert server.exit_code() == 0


def test_a_worker_that_cannot_start_ends_the_supervisor_with_exit_code_1(tmp_path: Path) -> None:
    with started(tmp_path, WORKERS="2", SAMPLE_FAULT="raise") as server:
        assert server.exit_code() == 1
        assert server.line() == ""
        assert "the application did not start" in server.messages()


def test_a_worker_that_outlives_its_grace_period_is_an_error(tmp_path: Path) -> None:
    with started(tmp_path, {"termination_grace_period": 0.5}, WORKERS="2") as server, server.serve().echo() as echo:
        answer = echo.future(Note(text="block"), timeout=3600)
        assert server.line() == "blocking"
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 1
        assert answer.exception(PATIENCE) is not None


def test_the_admin_port_serves_the_policies_of_the_service(tmp_path: Path) -> None:
    with started(tmp_path, WORKERS="2") as server:
        server.serve()
        assert server.admin("/config").json()["hash"] == "sha256:sample"
        assert server.admin("/livez").status_code == 200
