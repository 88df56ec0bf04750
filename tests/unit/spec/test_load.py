"""Loading a spec: what is valid, and for everything that is not, one line with its place and a way out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from generator.errors import InputError, Place
from generator.spec.load import Spec, load, load_text

DATA = Path(__file__).parent / "data"


def findings(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        load_text(text, "s.yaml")
    return [str(finding) for finding in caught.value.findings]


def in_spec(text: str) -> list[str]:
    """Findings for the lines of `text` under spec:, which is line 1."""
    return findings("spec:\n" + "".join(f"  {line}\n" for line in text.splitlines()))


def test_the_full_example_is_valid() -> None:
    spec = load(DATA / "full.yaml")
    assert spec.metadata.name == "orders"
    assert spec.metadata.labels == {"team": "shop", "tier": "1"}
    assert spec.body.errors.table["OUT_OF_STOCK"].http == 409
    assert spec.body.errors.table["LEDGER_DOWN"].retry_after == 1.0
    assert spec.body.server.grpc.max_message_bytes == 4 * 1024 * 1024
    assert spec.body.server.workers == "auto"
    assert spec.body.tls.mode == "off"
    assert spec.body.slos[0].window == 30 * 86400
    assert spec.body.methods["CreateOrder"].calls == (("inventory",), ("payments",))


def test_the_smallest_useful_spec_is_valid() -> None:
    spec = load(DATA / "smallest.yaml")
    assert spec.metadata.name == "payment-gateway"
    assert spec.body.rate_limiter is not None
    assert spec.body.rate_limiter.requests_per_second == 1200


@pytest.mark.parametrize("text", ["spec: {}", "apiVersion: resilience.sre.io/v1\nmetadata: {name: a}", "{}"])
def test_every_section_may_be_left_out(text: str) -> None:
    body = load_text(text, "s.yaml").body
    assert (body.lifecycle.propagation_delay, body.lifecycle.drain_timeout) == (5.0, 30.0)
    assert body.lifecycle.termination_grace_period == 45.0
    assert (body.server.rest.max_body_bytes, body.server.grpc.max_metadata_bytes) == (1024 * 1024, 16 * 1024)
    assert body.deadline is None


def test_a_spec_knows_where_its_keys_and_values_stand() -> None:
    spec = load(DATA / "smallest.yaml")
    file = str(DATA / "smallest.yaml")
    assert spec.key_place("spec", "rateLimiter", "timeout") == Place(file, 13, 5)
    assert spec.value_place("spec", "rateLimiter", "timeout") == Place(file, 13, 14)
    assert spec.positions["spec", "circuitBreaker"] == Place(file, 6, 3)


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("deadlin: {max: 3s}", "2:3: unknown-key: unknown key spec.deadlin; did you mean 'deadline'?"),
        ("deadline: {maximum: 3s}", "2:14: unknown-key: unknown key spec.deadline.maximum; did you mean 'max'?"),
        ("circuit_breaker: {}", "2:3: unknown-key: unknown key spec.circuit_breaker; did you mean 'circuitBreaker'?"),
        (
            "drainTimeout: 5s",
            "2:3: unknown-key: unknown key spec.drainTimeout; 'drainTimeout' stands under spec.lifecycle",
        ),
        ("server: {xyz: 1}", "2:12: unknown-key: unknown key spec.server.xyz; valid here: grpc, rest, admin, workers"),
        (
            "methods:\n  GetOrder: {deadline: {max: 5 sec}}",
            (
                "3:32: wrong-unit: spec.methods.GetOrder.deadline.max: '5 sec' is not a duration: write 5s; "
                "durations are written 300ms, 1.5s, 2m, 1h30m or 30d"
            ),
        ),
        ("deadline: {max: 1:30}", "clock time, not a duration: write it with units, as in 1m30s"),
        ("deadline: {max: 30}", "spec.deadline.max: 30 has no unit: write 30s or 30ms"),
        ("deadline: {max: 0s}", "spec.deadline.max: must be longer than 0s"),
        ("deadline: {max: }", "2:14: no-value: spec.deadline.max has no value; write a value, or remove the key"),
        (
            "rateLimiter:",
            "2:3: no-value: spec.rateLimiter has no value; write {} for the defaults, false to turn it off",
        ),
        ("rateLimiter: true", "turned on by its settings: write {} for the defaults, false to turn it off"),
        ("rateLimiter: 5", "wrong-type: spec.rateLimiter: expected a mapping of settings, found the number 5"),
        ("deadline: [1]", "wrong-type: spec.deadline: expected a mapping of settings, found a list"),
        (
            "criticality: critical",
            "'critical' is not one of CRITICAL_PLUS, CRITICAL, SHEDDABLE_PLUS, SHEDDABLE; did you",
        ),
        ("criticality: false", "the truth value false is not one of CRITICAL_PLUS"),
        ("fallback: caches", "'caches' is not one of none, static, cache, local-cache, handler; did you mean 'cache'?"),
        ("server: {grpc: {reflection: yes}}", "expected true or false, found the text 'yes'; write true"),
        ("server: {grpc: {reflection: off}}", "expected true or false, found the text 'off'; write false"),
        ("server: {grpc: {port: 0o17}}", "expected an integer, found the text '0o17'; write the number in decimal"),
        ("server: {grpc: {port: 08080}}", "octal to some readers of YAML: write 8080"),
        ("server: {grpc: {port: 8_080}}", "expected an integer, found the text '8_080'"),
        ("server: {grpc: {port: 1:30}}", "base 60"),
        ('server: {grpc: {port: "80"}}', "found the text '80'; remove the quotes: 80"),
        ("server: {grpc: {port: 80.0}}", "found the number 80.0; write 80"),
        ("server: {grpc: {port: 70000}}", "70000 must be at most 65535"),
        ("server: {grpc: {port: true}}", "expected an integer, found the truth value true"),
        (
            "server: {rest: {maxBodyBytes: 1mb}}",
            "'1mb' is not a size: write 1MiB; sizes are written 64KiB, 1MiB or 4MB",
        ),
        ("rateLimiter: {slidingWindow: {limit: 9999999}}", "9999999 must be at most 1000000"),
        ("circuitBreaker: {slidingWindow: {size: 9999999}}", "must be from 1 to 1000000 calls"),
        ("server: {grpc: {maxConcurrentStreams: 99999999999}}", "must be at most 2147483647"),
        ("server: {rest: {maxBodyBytes: 0}}", "must be at least 1B and less than 2GiB"),
        ("server: {workers: 0}", "must be auto or a number of processes from 1 to 1024"),
        ("server: {workers: many}", "must be auto or a number of processes"),
        ("loadShedding: {cpuThreshold: 90%}", "expected a number, found the text '90%'; write 90"),
        ("loadShedding: {cpuThreshold: 120}", "120 must be at most 100"),
        ("loadShedding: {cpuThreshold: .inf}", "expected a number"),
        ("profiles: {a b: {}}", "the name spec.profiles[\"a b\"]: the text 'a b' is not a name"),
        ("methods: {shop.Orders.Get: {}}", "is not a selector; a selector is Method, Service/Method"),
        ("methods: {'*': {}}", "is not a selector"),
        ("methods: {GetOrder: {profile: reed}}", "unknown-profile"),
        (
            "methods: {GetOrder: {calls: [[stock]]}}",
            "unknown-dependency: spec.methods.GetOrder.calls[0][0]: there is no",
        ),
        ("methods: {GetOrder: {calls: [stock]}}", "expected a list, found the text 'stock'; write a list: [stock]"),
        ("circuitBreaker: {timeoutMs: 5, openFor: {initial: 5ms}}", "timeoutMs and openFor.initial say the same thing"),
        ("rateLimiter: {store: redis}", "unknown-store: spec.rateLimiter.store: 'redis' is neither memory nor"),
        (
            "dependencies: {a: {target: b}}",
            "2:18: missing-key: spec.dependencies.a: a dependency of protocol grpc needs",
        ),
        ("dependencies: {a: {contract: b.proto}}", "missing-key: spec.dependencies.a needs target"),
        ("dependencies: {A: {}}", "a dependency's name is lower-case"),
        ("dependencies: {a: {protocol: http, target: 'ftp://x'}}", "does not start with http:// or https://"),
        (
            "dependencies: {a: {contract: b.proto, target: b, keepalive: {time: 5s}}}",
            "2:70: wrong-value: spec.dependencies.a.keepalive.time: 5s is less than 10s; gRPC allows no more pings",
        ),
        (
            "dependencies: {a: {contract: b.proto, target: b, keepalive: {timeout: 5s}}}",
            "missing-key: spec.dependencies.a.keepalive needs time",
        ),
        (
            "dependencies: {a: {contract: b.proto, target: b, tls: {mode: mtls, privateKey: k}}}",
            "2:52: missing-key: spec.dependencies.a.tls needs certificate with mode: mtls",
        ),
        (
            "dependencies: {a: {contract: b.proto, target: b, tls: {mode: tls, certificate: c}}}",
            "useless-key: spec.dependencies.a.tls.certificate has no effect with mode: tls; it belongs to mode: mtls",
        ),
        (
            "dependencies: {a: {contract: b.proto, target: b, tls: {ca: c}}}",
            "useless-key: spec.dependencies.a.tls.ca has no effect with mode: off",
        ),
        (
            "dependencies: {a: {contract: b.proto, target: b, maxConnectionAgeGrace: 1m}}",
            "useless-key: spec.dependencies.a.maxConnectionAgeGrace: has no effect without maxConnectionAge or tls",
        ),
        (
            "dependencies: {a: {contract: b.proto, target: b, loadBalancing: random}}",
            "2:67: wrong-value: spec.dependencies.a.loadBalancing: the text 'random' is not one of pick_first, round_robin",
        ),
        (
            "dependencies: {a: {protocol: redis, target: 'redis://a', tls: {mode: tls}}}",
            "2:60: useless-key: spec.dependencies.a.tls: has no effect with protocol: redis",
        ),
        (
            "dependencies: {a: {protocol: http, target: 'https://a', loadBalancing: round_robin}}",
            "useless-key: spec.dependencies.a.loadBalancing: has no effect with protocol: http; only gRPC",
        ),
        (
            "dependencies: {a: {protocol: http, target: 'http://a', tls: {mode: tls}}}",
            "useless-key: spec.dependencies.a.tls: has no effect with the target 'http://a'; an address that is",
        ),
        (
            "errors: {table: {oops: {grpc: ABORTED}}}",
            "the name spec.errors.table.oops: the text 'oops' is not a reason",
        ),
        ("errors: {table: {AB_: {grpc: ABORTED}}}", "is not a reason"),
        ("errors: {table: {OOPS: {http: 409}}}", "2:20: missing-key: spec.errors.table.OOPS needs grpc"),
        (
            "errors: {table: {OOPS: {grpc: NOTFOUND}}}",
            "is not the name of a gRPC status code; did you mean 'NOT_FOUND'?",
        ),
        ("errors: {table: {OOPS: {grpc: OK}}}", "is not the name of a gRPC status code"),
        ("errors: {table: {OOPS: {grpc: ABORTED, http: 200}}}", "200 must be at least 400"),
        ("errors: {table: {OOPS: {grpc: ABORTED, http: 600}}}", "600 must be at most 599"),
        ("errors: {table: {OOPS: {grpc: ABORTED, code: 1001}}}", 'found the number 1001; quote it: "1001"'),
        ("errors: {byCode: {NOPE: {}}}", "the name spec.errors.byCode.NOPE: the text 'NOPE' is not the name of a gRPC"),
        ("errors: {unmapped: {grpc: OK}}", "is not the name of a gRPC status code"),
        ("lifecycle: {drainTimeout: 60s}", "grace-period-too-short: spec.lifecycle.drainTimeout: propagationDelay,"),
        (
            "server: {rest: {port: 9090}}",
            "duplicate-port: spec.server.rest.port: the port 9090 is that of spec.server.admin",
        ),
        ("server: {rest: {cors: {allowOrigins: ['*'], allowCredentials: true}}}", "credentials cannot be allowed"),
        (
            "server: {rest: {cors: {allowOrigins: [http://a.b], exposeHeaders: ['*'], allowCredentials: true}}}",
            "wrong-value: spec.server.rest.cors.exposeHeaders: '*' means no header but '*' where credentials are allowed",
        ),
        ("server: {rest: {cors: {allowOrigins: [http://a.b/]}}}", "cors.allowOrigins[0]: 'http://a.b/' is not what a"),
        ("server: {rest: {cors: {allowOrigins: [https://A.b]}}}", "cors.allowOrigins[0]: 'https://A.b' is not what a"),
        ("server: {rest: {cors: {allowOrigins: ['null']}}}", "cors.allowOrigins[0]: 'null' is not what a browser"),
        (
            "server: {rest: {cors: {allowOrigins: ['*'], allowHeaders: [x y]}}}",
            "wrong-value: spec.server.rest.cors.allowHeaders[0]: 'x y' is not the name of a header",
        ),
        (
            "server: {rest: {cors: {maxAge: 1m}}}",
            "useless-key: spec.server.rest.cors.maxAge: has no effect without allowOrigins",
        ),
        ("tls: {mode: tls, privateKey: a.pem}", "missing-key: spec.tls needs certificate with mode: tls"),
        ("tls: {certificate: a.pem}", "useless-key: spec.tls.certificate has no effect with mode: off"),
        (
            "registry: {kind: etcd, endpoints: [a], ttl: 5s}",
            "wrong-value: spec.registry.heartbeat: is not shorter than ttl",
        ),
        ("health: {score: {weights: {errorRate: 1}}}", "the weights add up to 1.6, not to 1"),
        ("slos: [{name: a, objective: 99}, {name: a, objective: 9}]", "a second objective 'a'"),
        ("slos: [{name: a}]", "2:10: missing-key: spec.slos[0] needs objective"),
        ("slos: [{name: a, objective: 100}]", "100 must be less than 100"),
        ("observability: {metrics: {buckets: [1, 0.5]}}", "must be in ascending order"),
        ("observability: {metrics: {buckets: fine}}", "must be default or a list of 1 to 50 bounds in seconds"),
        ("observability: {traces: {ratio: 1.5}}", "1.5 must be at most 1"),
        ("observability: {propagate: {metadata: [X-Tenant]}}", "metadata names are lower-case letters"),
        ("auth: {jwt: {issuer: a, audience: b}}", "missing-key: spec.auth.jwt needs jwks"),
        (
            "auth: {jwt: {issuer: a, audience: b, jwks: 'https://x', algorithms: [HS256]}}",
            "algorithms[0]: the text 'HS256'",
        ),
        ("auth: {jwt: {issuer: a, audience: b, jwks: 'https://x', algorithms: []}}", "algorithms: is empty"),
        ("auth: {jwt: {issuer: a, audience: b, jwks: 'ftp://x'}}", "the text 'ftp://x' is not an address"),
        ("errors: {table: {GONE: {grpc: ABORTED, retryable: false, retryAfter: 1s}}}", "contradicts retryable: false"),
        ("server: {admin: {bind: ''}}", "spec.server.admin.bind: '' is no address"),
        ("server: {admin: {bind: 'localhost:9090'}}", "'localhost:9090' is no address"),
        ("dependencies: {a: {contract: a.proto, target: ''}}", "spec.dependencies.a.target: is empty"),
        ("dependencies: {a: {contract: a.proto, target: 'https://a'}}", "'https://a' is no host and port that gRPC"),
        ("dependencies: {a: {contract: a.proto, target: 'a:99999'}}", "'a:99999' is no host and port"),
        ("dependencies: {a: {contract: a.proto, target: 'dns:///'}}", "'dns:///' is no host and port"),
        ("dependencies: {a: {contract: a.proto, target: 'a b'}}", "'a b' is no host and port"),
        ("chaos: {faults: [{percent: 5, latency: 1s, dependencies: [x]}]}", "unknown-dependency"),
    ],
)
def test_a_mistake_is_named_with_its_key_and_a_way_out(text: str, finding: str) -> None:
    found = in_spec(text)
    assert len(found) == 1, found
    assert finding in found[0]


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("", "s.yaml:1:1: empty-spec: the file is empty; the smallest spec is: spec: {}"),
        ("# just a comment\n", "s.yaml:1:1: empty-spec"),
        ("- a\n- b\n", "s.yaml:1:1: wrong-type: a spec is a mapping"),
        ("just text", "s.yaml:1:1: wrong-type: a spec is a mapping"),
        ("apiVersion: v2", "s.yaml:1:13: wrong-value: apiVersion: the text 'v2' is not one of resilience.sre.io/v1"),
        (
            "kind: Deployment",
            "s.yaml:1:7: wrong-value: kind: the text 'Deployment' is not one of ServiceResiliencePolicy",
        ),
        ("metadata: {name: My Service}", "a service's name is lower-case letters, digits and '-'"),
        ("metadata: {labels: {http.route: a}}", "a label is lower-case letters, digits and '_', at most 63"),
        ("metadata: {labels: {service_name: a}}", "metadata.labels.service_name: is what the service's name"),
        ("metadata: {labels: {tier: 1}}", 'metadata.labels.tier: expected text, found the number 1; quote it: "1"'),
        ("spec:\n", "s.yaml:1:1: no-value: spec has no value; write {} for the defaults, or remove the key"),
        ("openapi: 3.1.0\n", "unknown-key: unknown key openapi; valid here: apiVersion, kind, metadata, spec"),
    ],
)
def test_a_document_that_is_no_spec_is_told_so(text: str, finding: str) -> None:
    found = findings(text)
    assert len(found) == 1, found
    assert finding in found[0]


def test_all_mistakes_are_told_at_once_in_the_order_they_stand() -> None:
    found = in_spec("deadline: {max: 5, mix: 1}\ncriticality: high\nserver: {workers: -1}\ndeadline: {}")
    assert [line.split(" ")[0] for line in found] == [
        "s.yaml:2:19:",
        "s.yaml:2:22:",
        "s.yaml:3:16:",
        "s.yaml:4:21:",
        "s.yaml:5:3:",
    ]


def test_a_finding_is_one_line_whatever_the_key_holds() -> None:
    assert in_spec(r'"a\nb\u202e": 1') == [r's.yaml:2:3: unknown-key: unknown key spec["a\nb\u202e"]']


def test_messages_must_name_the_same_placeholders_in_every_language() -> None:
    row = "errors: {table: {OOPS: {grpc: ABORTED, message: {en: 'a {x}', zh: 'b {y}'}}}}"
    assert in_spec(row) == [
        (
            "s.yaml:2:69: placeholders-differ: spec.errors.table.OOPS.message.zh: the placeholders differ from those of 'en': "
            "only 'en' has {x}, only 'zh' has {y}; every language names the same placeholders"
        )
    ]


@pytest.mark.parametrize("text", ["{", "a } b", "{a.b}", "{a!r}", "{0}", "{}", "{A}", "{a:>10}", "{__class__}"])
def test_what_stands_between_braces_is_a_plain_name(text: str) -> None:
    found = in_spec(f"errors: {{byCode: {{ABORTED: {{message: {{en: '{text}'}}}}}}}}")
    assert [" wrong-placeholder: " in line for line in found] == [True]


@pytest.mark.parametrize(
    "text",
    [
        "lifecycle: {drainTimeout: 37s}",
        "server: {grpc: {port: 0}, rest: {port: 0}, admin: {port: 0}}",
        "errors: {byCode: {ABORTED: {message: {en: 'a }} {{b}} {c}', zh: '{c}'}}}}",
        "rateLimiter: {store: memory}",
    ],
)
def test_what_is_just_right_is_accepted(text: str) -> None:
    load_text(f"spec:\n  {text}\n", "s.yaml")


def test_one_language_written_twice_is_told() -> None:
    assert "the same language as 'en-US'" in in_spec("errors: {byCode: {ABORTED: {message: {en-US: a, en-us: b}}}}")[0]


def test_a_file_that_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.yaml", tmp_path):
        with pytest.raises(InputError, match="yaml-unreadable"):
            load(path)


def test_a_static_fallback_may_hold_anything_null_included() -> None:
    spec = load_text("spec: {fallback: {kind: static, value: {a: null, b: [1, null]}}}", "s.yaml")
    assert spec.body.fallback is not None
    assert spec.body.fallback.value == {"a": None, "b": [1, None]}


def test_a_spec_cannot_be_changed_once_loaded() -> None:
    spec: Spec = load_text("spec: {}", "s.yaml")
    with pytest.raises(ValueError, match="frozen"):
        spec.body.server.grpc.port = 1


def test_reading_a_spec_needs_neither_protobuf_nor_a_template_engine() -> None:
    code = "import sys, generator.spec.load; print([m for m in ('google.protobuf', 'jinja2', 'black') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "target",
    ["stock", "stock:1", "dns:stock:1", "dns:///stock.shop:1", "dns://8.8.8.8/stock", "[::1]:1", "unix:///run/stock"],
)
def test_an_address_in_any_of_grpcs_forms_is_accepted(target: str) -> None:
    load_text(f"spec: {{dependencies: {{a: {{contract: a.proto, target: '{target}'}}}}}}", "s.yaml")


@pytest.mark.parametrize("address", ["::", "::1", "0.0.0.0", "10.1.2.3", "localhost", "fe80::1%eth0"])
def test_the_admin_port_may_listen_on_any_address(address: str) -> None:
    load_text(f"spec: {{server: {{admin: {{bind: '{address}'}}}}}}", "s.yaml")
