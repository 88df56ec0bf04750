"""The settings a process takes from its environment; everything else is in the resolved policies."""

from __future__ import annotations

import importlib.util
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from .snapshot import DependencyPolicy, Snapshot
from .targets import target_variable

LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
SAMPLERS: Final = (
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
)
OTLP_EXPORTERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "otlp": "opentelemetry.exporter.otlp.proto.http.trace_exporter",
        "otlp_grpc": "opentelemetry.exporter.otlp.proto.grpc.trace_exporter",
    }
)
"""The module of each OTLP exporter: an optional package, imported only when it is asked for."""

_HOST_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_ENVIRONMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_MAX_WORKERS: Final = 1024


class SettingsError(Exception):
    """Values that the environment must not have, one line each in `findings`."""

    def __init__(self, findings: list[str]) -> None:
        super().__init__("\n".join(findings))
        self.findings = findings


@dataclass(frozen=True, slots=True)
class TraceSettings:
    """Where spans go and which are taken; from the OTEL_* variables and `observability.traces`."""

    exporters: tuple[str, ...]  # "otlp", "otlp_grpc", "console"
    sampler: str  # an OpenTelemetry sampler name
    ratio: float
    service_name: str  # "" for the definition's


@dataclass(frozen=True, slots=True)
class Settings:
    """One process's settings. A port of 0 picks a free one; `workers` 0 means one for each CPU of the quota."""

    host: str = "0.0.0.0"  # noqa: S104 - a service in a container is reached from outside
    grpc_port: int = 0
    rest_port: int = 0
    admin_host: str = "127.0.0.1"
    admin_port: int = 0
    workers: int = 1
    log_level: str = "INFO"
    environment: str = "production"
    traces: TraceSettings | None = None
    reuse_port: bool = False  # several processes share the ports: set for workers, not by the environment
    targets: Mapping[str, str] = field(default_factory=dict)  # of dependencies that are elsewhere than the spec says

    def reached(self, dependencies: Mapping[str, DependencyPolicy]) -> Mapping[str, DependencyPolicy]:
        """The dependencies where this process finds them."""
        return {
            name: replace(policy, target=self.targets.get(name, policy.target)) for name, policy in dependencies.items()
        }


def read(environ: Mapping[str, str], policies: Snapshot) -> Settings:
    """The settings in `environ`, the rest from the policies; an empty variable counts as none.

    Raises SettingsError with every finding at once.
    """
    reader = _Reader(environ)
    settings = Settings(
        host=reader.host("HOST", "0.0.0.0"),  # noqa: S104 - as above
        grpc_port=reader.port("GRPC_PORT", policies.grpc.port),
        rest_port=reader.port("REST_PORT", policies.rest.port),
        admin_host=reader.host("ADMIN_HOST", policies.admin.bind),
        admin_port=reader.port("ADMIN_PORT", policies.admin.port),
        workers=reader.workers("WORKERS", policies.workers),
        log_level=reader.choice("LOG_LEVEL", "INFO", LOG_LEVELS),
        environment=reader.name("ENVIRONMENT", "production"),
        traces=reader.traces(policies),
        targets=reader.targets(policies.dependencies),
    )
    reader.distinct_ports(settings)
    if reader.findings:
        raise SettingsError(reader.findings)
    return settings


class _Reader:
    """Reads variables one by one and collects what is wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.findings: list[str] = []

    def text(self, name: str, default: str) -> str:
        return self._environ.get(name, "").strip() or default

    def host(self, name: str, default: str) -> str:
        value = self.text(name, default)
        try:
            ipaddress.ip_address(value)
        except ValueError:
            if not _HOST_NAME.fullmatch(value) or value.replace(".", "").isdigit():
                self._refuse(name, value, "an IP address or a host name, like 0.0.0.0")
        return value

    def port(self, name: str, default: int) -> int:
        return self._number(name, default, 0, 65535, "a port, 0 to 65535 (0 picks a free one)")

    def workers(self, name: str, default: int | str) -> int:
        value = self.text(name, str(default))
        if value == "auto":
            return 0
        return self._number(name, default, 1, _MAX_WORKERS, f'a number of processes, 1 to {_MAX_WORKERS}, or "auto"')

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        value = self.text(name, default)
        for choice in choices:
            if value.upper() == choice.upper():
                return choice
        self._refuse(name, value, f"one of {', '.join(choices)}")
        return default

    def name(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if not _ENVIRONMENT.fullmatch(value):
            self._refuse(name, value, "a short name, like production or staging")
        return value

    def traces(self, policies: Snapshot) -> TraceSettings | None:
        """What the OTEL_* variables say; None where no exporter is asked for or the SDK is disabled."""
        if self.text("OTEL_SDK_DISABLED", "false").lower() == "true":
            return None
        endpoint = self.text("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", self.text("OTEL_EXPORTER_OTLP_ENDPOINT", ""))
        names = self.text("OTEL_TRACES_EXPORTER", "otlp" if endpoint else "none").split(",")
        protocol = self.text("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", self.text("OTEL_EXPORTER_OTLP_PROTOCOL", ""))
        exporters = tuple(self._exporter(name.strip(), protocol) for name in names if name.strip() not in ("", "none"))
        if not exporters:
            return None
        observability = policies.observability
        return TraceSettings(
            exporters=exporters,
            sampler=self.choice("OTEL_TRACES_SAMPLER", observability.trace_sampler, SAMPLERS),
            ratio=self._ratio("OTEL_TRACES_SAMPLER_ARG", observability.trace_ratio),
            service_name=self.text("OTEL_SERVICE_NAME", ""),
        )

    def targets(self, dependencies: Mapping[str, DependencyPolicy]) -> Mapping[str, str]:
        """Where the environment says that dependencies are."""
        found = {name: self.text(target_variable(name), "") for name in dependencies}
        return {name: target for name, target in found.items() if target}

    def distinct_ports(self, settings: Settings) -> None:
        ports = {"GRPC_PORT": settings.grpc_port, "REST_PORT": settings.rest_port, "ADMIN_PORT": settings.admin_port}
        seen: dict[int, str] = {}
        for name, port in ports.items():
            if port and port in seen:
                self.findings.append(f"{name}={port}: the same port as {seen[port]}")
            seen.setdefault(port, name)

    def _exporter(self, name: str, protocol: str) -> str:
        if name == "console":
            return name
        if name != "otlp":
            self._refuse("OTEL_TRACES_EXPORTER", name, "otlp, console or none")
            return name
        chosen = "otlp_grpc" if protocol == "grpc" else "otlp"
        if not _installed(OTLP_EXPORTERS[chosen]):
            package = f"opentelemetry-exporter-otlp-proto-{'grpc' if chosen == 'otlp_grpc' else 'http'}"
            self.findings.append(f"OTEL_TRACES_EXPORTER={name}: needs the package {package}, which is not installed")
        return chosen

    def _ratio(self, name: str, default: float) -> float:
        value = self.text(name, str(default))
        try:
            ratio = float(value)
        except ValueError:
            ratio = -1.0
        if not 0.0 <= ratio <= 1.0:
            self._refuse(name, value, "a ratio, 0 to 1")
            return default
        return ratio

    def _number(self, name: str, default: int | str, low: int, high: int, expected: str) -> int:
        value = self.text(name, str(default))
        if not (value.isascii() and value.isdigit() and len(value) <= 9 and low <= int(value) <= high):
            self._refuse(name, value, expected)
            return low
        return int(value)

    def _refuse(self, name: str, value: str, expected: str) -> None:
        self.findings.append(f"{name}={_quoted(value)}: expected {expected}")


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # a parent package is missing
        return False


def _quoted(value: str) -> str:
    shown = value if len(value) <= 40 else value[:40] + "…"
    return shown if shown.isprintable() else ascii(shown)
