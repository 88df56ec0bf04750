"""The spec's server: ports, sizes, workers, TLS and the way up and down."""

from typing import Annotated, ClassVar, Literal

from pydantic_core import PydanticCustomError, core_schema

from generator.spec.fields import Bool, Count, Model, Port, Text, setting
from generator.spec.spelling import Spelling
from generator.spec.units import Duration, PositiveDuration, Size


def _workers(value: object) -> int | Literal["auto"]:
    if value == "auto":
        return "auto"
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 1024:
        return value
    raise PydanticCustomError("workers", "must be auto or a number of processes from 1 to 1024")


Workers = Annotated[
    int | Literal["auto"],
    Spelling(
        "auto or integer",
        core_schema.no_info_plain_validator_function(_workers),
        {"anyOf": [{"const": "auto"}, {"type": "integer", "minimum": 1, "maximum": 1024}]},
    ),
]


class Keepalive(Model):
    """HTTP/2 pings of the gRPC port."""

    time: PositiveDuration = setting(7200.0, "Quiet time after which the server pings a client.", example="2h")
    timeout: PositiveDuration = setting(20.0, "Wait for the answer before the connection is closed.", example="20s")
    min_ping_interval: PositiveDuration = setting(
        300.0, "A client that pings more often is disconnected.", example="5m"
    )


class GrpcServer(Model):
    """The gRPC port."""

    port: Port = setting(50051, "TCP port; 0 picks a free one; the environment's GRPC_PORT wins.")
    max_concurrent_streams: Count | None = setting(
        None, "Calls at once on one connection; no limit when absent.", example=256
    )
    max_message_bytes: Size = setting(4 * 1024 * 1024, "Largest request or response message.", example="4MiB")
    max_metadata_bytes: Size = setting(16 * 1024, "Largest metadata of a call.", example="16KiB")
    max_connection_age: PositiveDuration | None = setting(
        None, "Connections are renewed after this long, which spreads load; never when absent.", example="5m"
    )
    max_connection_age_grace: PositiveDuration | None = setting(
        None, "Time for calls on an aged connection to finish; for ever when absent.", example="30s"
    )
    keepalive: Keepalive = setting(None, "HTTP/2 pings.", factory=Keepalive.model_construct)
    reflection: Bool = setting(True, "Whether server reflection is served.")


class Cors(Model):
    """Which web pages may call the REST port."""

    allow_origins: tuple[Text, ...] = setting(
        (), "Origins, or '*'; none when empty.", example=["https://shop.example.com"]
    )
    allow_headers: tuple[Text, ...] = setting((), "Request headers beyond the usual ones.", example=["x-tenant"])
    expose_headers: tuple[Text, ...] = setting((), "Response headers a page may read.", example=["retry-after"])
    allow_credentials: Bool = setting(False, "Whether cookies and credentials may be sent.")
    max_age: Duration = setting(600.0, "How long a browser may remember the answer.", example="10m")


class RestServer(Model):
    """The REST port."""

    port: Port = setting(8080, "TCP port; 0 picks a free one; the environment's REST_PORT wins.")
    max_body_bytes: Size = setting(1024 * 1024, "Largest request body.", example="1MiB")
    emit_defaults: Bool = setting(False, "Whether fields at their default are written.")
    unknown_fields: Literal["reject", "ignore"] = setting(
        "reject", "What happens to JSON fields and query parameters the contract does not know."
    )
    duplicate_routes: Literal["warn", "error", "firstWins"] = setting(
        "warn",
        "Two methods with one route: warn allows it across services only, with a warning, error never, firstWins "
        "always; the first declared is served.",
    )
    cors: Cors = setting(None, "Which web pages may call.", factory=Cors.model_construct)
    expose: Literal["annotated", "all"] = setting(
        "annotated", "Which methods are served over REST: those with google.api.http, or all."
    )


class AdminServer(Model):
    """The admin port: health, metrics, resolved policies."""

    port: Port = setting(9090, "TCP port; 0 picks a free one; the environment's ADMIN_PORT wins.")
    bind: Text = setting(
        "127.0.0.1", "Address it listens on; a cluster's probes need one they can reach.", example="::"
    )


class Server(Model):
    """Ports, sizes and processes."""

    grpc: GrpcServer = setting(None, "The gRPC port.", factory=GrpcServer.model_construct)
    rest: RestServer = setting(None, "The REST port.", factory=RestServer.model_construct)
    admin: AdminServer = setting(None, "The admin port.", factory=AdminServer.model_construct)
    workers: Workers = setting(
        1,
        "Processes; auto is the CPU quota of the container. Handlers of different processes share no memory.",
        example="auto",
    )


class Tls(Model):
    """Encryption of the gRPC and the REST port, TLS 1.2 or newer; files are read again when they change."""

    discriminator: ClassVar[str] = "mode"

    mode: Literal["off", "tls", "mtls"] = setting("off", "off, tls, or mtls, which asks clients for certificates too.")
    certificate: Text = setting(
        "", "The certificate chain, PEM.", example="/etc/tls/tls.crt", needed=True, only=("tls", "mtls")
    )
    private_key: Text = setting("", "Its key, PEM.", example="/etc/tls/tls.key", needed=True, only=("tls", "mtls"))
    client_ca: Text = setting(
        "",
        "Authorities that clients' certificates come from, PEM.",
        example="/etc/tls/ca.crt",
        needed=True,
        only=("mtls",),
    )


class Lifecycle(Model):
    """The way up and down."""

    startup_timeout: PositiveDuration = setting(
        30.0,
        "Longest start before the process gives up; and longest wait, after it, for dependencies to be reached.",
        example="30s",
    )
    propagation_delay: Duration = setting(
        5.0, "Time between turning unready and refusing calls, for load balancers to notice.", example="5s"
    )
    drain_timeout: Duration = setting(30.0, "Time for calls in flight to finish.", example="60s")
    cleanup_timeout: Duration = setting(3.0, "Time for background work, clients and telemetry to finish.", example="3s")
    termination_grace_period: PositiveDuration = setting(
        45.0, "The whole stop, whatever a handler does; at least the three times above together.", example="75s"
    )
