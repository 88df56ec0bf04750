"""Settings: defaults from the policies, the environment over them, and every wrong value at once."""

from __future__ import annotations

import dataclasses

import pytest
from runtime.settings import Settings, SettingsError, read
from runtime.snapshot import AdminPolicy, GrpcPolicy

from tests.runtime.sample_service import POLICIES

PORTS = dataclasses.replace(
    POLICIES, grpc=GrpcPolicy(50051, 256, 4 << 20, 16 << 10, None, None, None, True), admin=AdminPolicy(9090, "::1")
)


def test_without_an_environment_the_policies_hold() -> None:
    assert read({}, PORTS) == Settings(grpc_port=50051, rest_port=0, admin_host="::1", admin_port=9090)


def test_the_environment_wins() -> None:
    environ = {
        "HOST": "127.0.0.1",
        "GRPC_PORT": "1",
        "REST_PORT": "2",
        "ADMIN_PORT": "3",
        "ADMIN_HOST": "0.0.0.0",
        "WORKERS": "4",
        "LOG_LEVEL": "warning",
        "ENVIRONMENT": "staging",
    }
    assert read(environ, PORTS) == Settings("127.0.0.1", 1, 2, "0.0.0.0", 3, 4, "WARNING", "staging")


def test_an_empty_variable_counts_as_none() -> None:
    assert read({"GRPC_PORT": " ", "WORKERS": ""}, PORTS).grpc_port == 50051


def test_auto_is_one_worker_for_each_cpu() -> None:
    assert read({"WORKERS": "auto"}, PORTS).workers == 0
    assert read({}, dataclasses.replace(PORTS, workers="auto")).workers == 0


def test_every_wrong_value_is_named_at_once() -> None:
    environ = {
        "HOST": "a b",
        "GRPC_PORT": "65536",
        "REST_PORT": "٣",
        "ADMIN_PORT": "-1",
        "WORKERS": "0",
        "LOG_LEVEL": "LOUD",
        "ENVIRONMENT": "\x1b[31m",
        "OTEL_TRACES_EXPORTER": "carrier-pigeon",
        "OTEL_TRACES_SAMPLER": "sometimes",
        "OTEL_TRACES_SAMPLER_ARG": "nan",
    }
    with pytest.raises(SettingsError) as caught:
        read(environ, PORTS)
    assert sorted(finding.partition("=")[0] for finding in caught.value.findings) == sorted(environ)
    assert all(finding.isprintable() for finding in caught.value.findings)


def test_two_listeners_on_one_port_are_refused() -> None:
    with pytest.raises(SettingsError, match="REST_PORT=50051: the same port as GRPC_PORT"):
        read({"REST_PORT": "50051"}, PORTS)


def test_several_free_ports_are_not_the_same_port() -> None:
    assert read({"GRPC_PORT": "0", "REST_PORT": "0", "ADMIN_PORT": "0"}, PORTS).grpc_port == 0


def test_no_exporter_no_tracing() -> None:
    assert read({}, PORTS).traces is None
    assert read({"OTEL_TRACES_EXPORTER": "console", "OTEL_SDK_DISABLED": "true"}, PORTS).traces is None
    assert read({"OTEL_TRACES_EXPORTER": "none"}, PORTS).traces is None


def test_the_otel_variables_win_over_the_policies() -> None:
    environ = {
        "OTEL_TRACES_EXPORTER": "console",
        "OTEL_TRACES_SAMPLER": "traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.5",
        "OTEL_SERVICE_NAME": "shop",
    }
    traces = read(environ, PORTS).traces
    assert traces is not None
    assert (traces.exporters, traces.sampler, traces.ratio, traces.service_name) == (
        ("console",),
        "traceidratio",
        0.5,
        "shop",
    )


def test_an_exporter_whose_package_is_missing_is_a_finding() -> None:
    with pytest.raises(SettingsError, match="needs the package opentelemetry-exporter-otlp-proto-grpc"):
        read({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, PORTS)
