"""The resolved policies as Python: what `gen/policies.py` holds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from generator.plan.model import Plan
from generator.render.method_policies import access_policy, method_policy
from generator.render.outgoing_policies import dependency_policy
from generator.render.python import Construct, literal
from generator.spec.observability import Score
from generator.spec.server import Cors, Keepalive, Tls

# Seconds; advised by OpenTelemetry's semantic conventions for http.server.request.duration and its likes.
_STANDARD_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)


@dataclass(frozen=True, slots=True)
class PoliciesView:
    """The snapshot's parts as expressions; `names` are the classes of runtime.snapshot that they use."""

    names: tuple[str, ...]
    methods: Mapping[str, Construct]
    sections: Mapping[str, object]
    hash: str


def view(plan: Plan) -> PoliciesView:
    """The snapshot of a plan; its hash is over the values alone."""
    methods = {method.rpc.path: method_policy(method) for method in plan.methods}
    sections = _sections(plan)
    names: set[str] = {"Snapshot"}
    for value in (*methods.values(), *sections.values()):
        names |= _names(value)
    content = literal({"methods": methods, "sections": sections})
    return PoliciesView(tuple(sorted(names)), methods, sections, hashlib.sha256(content.encode()).hexdigest()[:16])


def _sections(plan: Plan) -> dict[str, object]:
    body = plan.spec.document.spec
    grpc, rest, admin = body.server.grpc, body.server.rest, body.server.admin
    seen = body.observability
    return {
        "grpc": Construct(
            "GrpcPolicy",
            {
                "port": grpc.port,
                "max_concurrent_streams": grpc.max_concurrent_streams,
                "max_message_bytes": grpc.max_message_bytes,
                "max_metadata_bytes": grpc.max_metadata_bytes,
                "max_connection_age": grpc.max_connection_age,
                "max_connection_age_grace": grpc.max_connection_age_grace,
                "keepalive": _keepalive(grpc.keepalive),
                "reflection": grpc.reflection,
            },
        ),
        "rest": Construct(
            "RestPolicy",
            {
                "port": rest.port,
                "max_body_bytes": rest.max_body_bytes,
                "emit_defaults": rest.emit_defaults,
                "unknown_fields": rest.unknown_fields,
                "errors": body.errors.rest,
                **_cors(rest.cors),
            },
        ),
        "admin": Construct("AdminPolicy", {"port": admin.port, "bind": admin.bind}),
        "workers": body.server.workers,
        "lifecycle": Construct("LifecyclePolicy", dict(body.lifecycle)),
        "observability": Construct(
            "ObservabilityPolicy",
            {
                "metrics": seen.metrics.exporter != "none",
                "buckets": seen.metrics.buckets or _STANDARD_BUCKETS,
                "trace_sampler": seen.traces.sampler,
                "trace_ratio": seen.traces.ratio,
                "log_format": seen.logs.format,
                "redact": frozenset(seen.logs.redact),
                "propagate": seen.propagate.metadata,
                **({"labels": dict(plan.spec.metadata.labels)} if plan.spec.metadata.labels else {}),
            },
        ),
        "unmapped": Construct(
            "UnmappedPolicy", {"code": body.errors.unmapped.grpc, "redact": body.errors.unmapped.redact}
        ),
        **_dependencies(plan),
        **_auth(plan),
        **_tls(body.tls),
        **({"fault_environments": body.chaos.allowed_environments} if body.chaos.enabled else {}),
        **_score(body.health.score),
    }


def _auth(plan: Plan) -> dict[str, object]:
    auth = plan.spec.body.auth
    if auth is None:
        return {}
    fields: dict[str, object] = {}
    if auth.jwt:
        fields["issuers"] = tuple(Construct("JwtIssuer", dict(issuer)) for issuer in auth.jwt)
    if auth.client_certificates:
        fields["client_certificates"] = True
    beside = {path: policy for path, access in plan.beside.items() if (policy := access_policy(access)) is not None}
    if beside:
        fields["beside"] = beside
    return {"auth": Construct("AuthPolicy", fields)}


def _tls(tls: Tls) -> dict[str, object]:
    if tls.mode == "off":
        return {}
    files = {"certificate": tls.certificate, "private_key": tls.private_key}
    if tls.mode == "mtls":
        files["client_ca"] = tls.client_ca
    return {"tls": Construct("TlsPolicy", files)}


def _score(score: Score | None) -> dict[str, object]:
    if score is None:
        return {}
    return {"score": Construct("ScorePolicy", {"threshold": score.threshold, **dict(score.weights)})}


def _dependencies(plan: Plan) -> dict[str, object]:
    if not plan.dependencies:
        return {}
    return {"dependencies": {dependency.name: dependency_policy(dependency) for dependency in plan.dependencies}}


def _keepalive(keepalive: Keepalive) -> Construct:
    return Construct(
        "Keepalive",
        {
            "time": keepalive.time,
            "timeout": keepalive.timeout,
            "min_ping_interval": keepalive.min_ping_interval,
        },
    )


def _cors(cors: Cors) -> dict[str, object]:
    if not cors.allow_origins:
        return {}
    return {
        "cors": Construct(
            "CorsPolicy",
            {
                "allow_origins": cors.allow_origins,
                "allow_headers": cors.allow_headers,
                "expose_headers": cors.expose_headers,
                "allow_credentials": cors.allow_credentials,
                "max_age": cors.max_age,
            },
        )
    }


def _names(value: object) -> set[str]:
    if isinstance(value, tuple):
        return set().union(*(_names(item) for item in value))
    if isinstance(value, Mapping):
        return set().union(*(_names(item) for item in value.values()))
    if not isinstance(value, Construct):
        return set()
    return {value.name}.union(*(_names(item) for item in value.fields.values()))
