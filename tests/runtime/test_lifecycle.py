"""The process: its one line, its signals, its exit codes, and the watchdog. Real processes, real signals."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from pathlib import Path

import grpc
import httpx
import pytest

from tests.runtime.sample_service import ECHO, Note
from tests.runtime.server_process import PATIENCE, started


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_an_idle_server_in_good_order(number: int, tmp_path: Path) -> None:
    with started(tmp_path) as server:
        server.serve()
        assert set(server.serving) == {"event", "grpc_port", "rest_port", "admin_port", "pid"}
        assert server.serving["pid"] == server.process.pid
        server.signal(number)
        assert server.exit_code() == 0
        assert server.line() == "application closed"
        assert [line["event"] for line in server.logs()] == ["terminating", "stopped"]


def test_wrong_settings_are_told_in_a_line_each_with_exit_code_2(tmp_path: Path) -> None:
    with started(tmp_path, GRPC_PORT="x", LOG_LEVEL="y") as server:
        assert server.exit_code() == 2
        lines = (tmp_path / "stderr").read_text().splitlines()
    assert [line.partition("=")[0] for line in lines] == ["sample: GRPC_PORT", "sample: LOG_LEVEL"]


def test_a_taken_port_is_told_without_a_traceback(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with started(tmp_path, REST_PORT=port) as server:
            assert server.exit_code() == 1
            (line,) = [line for line in server.logs() if line["level"] == "ERROR"]
    assert f"REST_PORT={port}" in line["message"]
    assert "exception" not in line


@pytest.mark.parametrize(
    ("fault", "told"),
    [("raise", "the application did not start"), ("no-handler", "object handles no service of this contract")],
)
def test_an_application_that_does_not_start_is_exit_code_1(fault: str, told: str, tmp_path: Path) -> None:
    with started(tmp_path, SAMPLE_FAULT=fault) as server:
        assert server.exit_code() == 1
        assert any(told in message for message in server.messages())


def test_a_start_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    with started(tmp_path, {"startup_timeout": 0.3}, SAMPLE_FAULT="slow") as server:
        assert server.exit_code() == 1
        assert "not started within 0.3 s" in server.messages()


def test_a_signal_during_the_start_ends_it_in_good_order(tmp_path: Path) -> None:
    with started(tmp_path, SAMPLE_FAULT="slow") as server:
        assert server.line() == "starting"
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0


def test_an_applications_own_task_that_fails_stops_the_server_with_exit_code_1(tmp_path: Path) -> None:
    with started(tmp_path, SAMPLE_FAULT="task") as server:
        assert server.exit_code() == 1
        assert "the application failed: stopping" in server.messages() or any(
            "the application failed while it started" in message for message in server.messages()
        )
        assert any("the application's own task failed" in line.get("exception", "") for line in server.logs())


def test_a_call_in_flight_at_sigterm_is_answered(tmp_path: Path) -> None:
    with started(tmp_path) as server, server.serve().echo() as echo:
        answer = echo.future(Note(text="wait", number=300))
        assert server.line() == "waiting"
        server.signal(signal.SIGTERM)
        assert answer.result(PATIENCE).number == 300
        assert server.exit_code() == 0


def test_during_the_propagation_delay_calls_are_served_and_readiness_says_no(tmp_path: Path) -> None:
    with started(tmp_path, {"propagation_delay": 60.0, "termination_grace_period": 90.0}) as server:
        with server.serve().echo() as echo:
            assert echo(Note(text="a")).text == "a"
            server.signal(signal.SIGTERM)
            while server.admin("/readyz").status_code == 200:
                pass
            assert echo(Note(text="b")).text == "b"
            assert server.admin("/livez").status_code == 200
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0


def test_sigint_skips_the_propagation_delay(tmp_path: Path) -> None:
    with started(tmp_path, {"propagation_delay": 3600.0, "termination_grace_period": 3700.0}) as server:
        server.serve().signal(signal.SIGINT)
        assert server.exit_code() == 0


def test_a_second_sigterm_skips_the_drain(tmp_path: Path) -> None:
    patient = {"drain_timeout": 3600.0, "termination_grace_period": 3700.0}
    with started(tmp_path, patient) as server, server.serve().echo() as echo:
        answer = echo.future(Note(text="wait", number=3_600_000), timeout=3600)
        assert server.line() == "waiting"
        server.signal(signal.SIGTERM)
        while server.admin("/readyz").status_code == 200:
            pass
        server.signal(signal.SIGTERM)
        with pytest.raises(grpc.RpcError) as caught:
            answer.result(PATIENCE)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert server.exit_code() == 0


def test_a_handler_that_swallows_its_cancellation_is_reported_and_holds_nothing_up(tmp_path: Path) -> None:
    short = {"drain_timeout": 0.1, "cleanup_timeout": 0.2}
    with started(tmp_path, short) as server, server.serve().echo() as echo:
        answer = echo.future(Note(text="swallow"), timeout=3600)
        assert server.line() == "waiting"
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0
        assert time.monotonic() - began < 10
        assert "1 calls of /sample.v1.Sample/Echo ignore their cancellation" in server.messages()
        assert answer.exception(PATIENCE) is not None


def test_a_handler_that_blocks_the_loop_cannot_outlive_the_grace_period(tmp_path: Path) -> None:
    with started(tmp_path, {"termination_grace_period": 0.5}) as server, server.serve().echo() as echo:
        answer = echo.future(Note(text="block"), timeout=3600)
        assert server.line() == "blocking"
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 1
        last = server.logs()[-1]
        assert last["message"] == "the termination grace period is over: forced exit"
        assert "in echo" in last["stack"]
        assert answer.exception(PATIENCE) is not None


def test_work_that_a_call_has_spawned_is_waited_for(tmp_path: Path) -> None:
    with started(tmp_path) as server, server.serve().echo() as echo:
        echo(Note(text="spawn"))
        server.signal(signal.SIGTERM)
        assert server.line() == "spawned work done"
        assert server.line() == "application closed"
        assert server.exit_code() == 0


async def test_two_hundred_calls_in_flight_over_both_protocols_at_sigterm_are_all_answered(tmp_path: Path) -> None:
    with started(tmp_path) as server:
        await asyncio.to_thread(server.serve)
        limits = httpx.Limits(max_connections=100)
        async with (
            grpc.aio.insecure_channel(f"127.0.0.1:{server.serving['grpc_port']}") as channel,
            httpx.AsyncClient(limits=limits, timeout=PATIENCE) as client,
        ):
            echo = channel.unary_unary(ECHO.path, Note.SerializeToString, Note.FromString)
            url = f"http://127.0.0.1:{server.serving['rest_port']}/v1/echo/wait?number=500"
            over_grpc = [asyncio.ensure_future(echo(Note(text="wait", number=500))) for _ in range(100)]
            over_rest = [asyncio.ensure_future(client.get(url)) for _ in range(100)]
            for _ in range(200):
                assert await asyncio.to_thread(server.line) == "waiting"
            server.signal(signal.SIGTERM)
            assert [answer.number for answer in await asyncio.gather(*over_grpc)] == [500] * 100
            assert [answer.status_code for answer in await asyncio.gather(*over_rest)] == [200] * 100
        assert await asyncio.to_thread(server.exit_code) == 0


def test_a_handlers_own_log_line_is_json_with_its_calls_ids_and_without_what_is_redacted(tmp_path: Path) -> None:
    with started(tmp_path) as server, server.serve().echo() as echo:
        echo(Note(text="log"), metadata=[("x-request-id", "r-1")])
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0
        own, call = [line for line in server.logs() if line.get("request_id") == "r-1"]
    assert (own["level"], own["logger"], own["message"]) == ("WARNING", "shop", "stock of a is low")
    assert (own["left"], own["card_number"]) == (3, "[redacted]")
    assert (own["trace_id"], own["span_id"]) == (call["trace_id"], call["span_id"])


def test_spans_are_exported_where_the_environment_asks_for_it_and_flushed_at_the_end(tmp_path: Path) -> None:
    with started(tmp_path, OTEL_TRACES_EXPORTER="console") as server, server.serve().echo() as echo:
        echo(Note(text="a"), metadata=[("x-request-id", "r-1")])
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0
        (span,) = [line for line in server.logs() if "context" in line]
        (call,) = [line for line in server.logs() if line.get("event") == "call"]
    assert span["name"] == "sample.v1.Sample/Echo"
    assert span["context"]["trace_id"] == f"0x{call['trace_id']}"
    assert span["context"]["span_id"] == f"0x{call['span_id']}"
    assert span["resource"]["attributes"]["service.name"] == "sample"
    assert span["resource"]["attributes"]["team"] == "shop"


def test_the_environment_has_the_last_word_on_what_spans_are_labelled_with(tmp_path: Path) -> None:
    asked = {"OTEL_TRACES_EXPORTER": "console", "OTEL_RESOURCE_ATTRIBUTES": "team=ours,tier=1"}
    with started(tmp_path, **asked) as server, server.serve().echo() as echo:
        echo(Note(text="a"))
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0
        (span,) = [line for line in server.logs() if "context" in line]
    shown = span["resource"]["attributes"]
    assert (shown["team"], shown["tier"], shown["service.name"]) == ("ours", "1", "sample")


def test_without_being_asked_for_opentelemetry_is_not_even_imported(tmp_path: Path) -> None:
    with started(tmp_path, PYTHONVERBOSE="1") as server:
        server.serve().signal(signal.SIGTERM)
        assert server.exit_code() == 0
        imported = (tmp_path / "stderr").read_text()
    assert "runtime/lifecycle" in imported
    assert "opentelemetry" not in imported
