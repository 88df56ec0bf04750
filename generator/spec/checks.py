"""What must hold across a whole document, once each key by itself is right; policies are checked when resolved."""

from __future__ import annotations

import re
from collections.abc import Iterator

from generator.document import Node, Path, Scalar, dotted, find, key_place, value_place
from generator.errors import Finding, Place, did_you_mean
from generator.spec.dependencies import ClientPolicy
from generator.spec.dependency_checks import Found, check_dependency
from generator.spec.fields import Model, fields
from generator.spec.messages import placeholders
from generator.spec.model import ResilienceSpec, SpecBody
from generator.spec.policy import ServerPolicy
from generator.spec.rules import check_keys
from generator.spec.units import format_duration

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:[a-z0-9._~-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
_ADDRESS = re.compile(r"[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*(?:%[\w.-]+)?|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # a token: RFC 9110, section 5.6.2
_OF_PROTOCOLS = frozenset(
    {"authorization", "connection", "content-length", "content-type", "host", "te", "transfer-encoding", "upgrade"}
)
_MECHANISMS = frozenset(fields(ServerPolicy)) | frozenset(fields(ClientPolicy))


def check(document: ResilienceSpec, root: Node) -> list[Finding]:
    """Everything wrong with `document` as a whole; `root` is the tree it was read from."""
    findings = list(check_keys(document, (), lambda path: key_place(root, path), _MECHANISMS))
    if "service_name" in document.metadata.labels:
        message = "metadata.labels.service_name: is what the service's name is called there"
        findings.append(Finding(key_place(root, ("metadata", "labels", "service_name")), "wrong-value", message, ""))
    for rule in (
        _profiles,
        _calls,
        _stores,
        _dependencies,
        _messages,
        _lifecycle,
        _ports,
        _addresses,
        _cors,
        _health,
        _slos,
        _registry,
        _auth,
        _chaos,
    ):
        findings += [
            Finding(_place(root, path), rule_id, f"{dotted(path)}: {message}" if path else message, hint)
            for path, rule_id, message, hint in rule(document.spec)
        ]
    return findings


def _place(root: Node, path: Path) -> Place:
    """A value's own place, or that of its key where it is a whole section."""
    return value_place(root, path) if isinstance(find(root, path), Scalar) else key_place(root, path)


def _profiles(spec: SpecBody) -> Iterator[Found]:
    for selector, method in spec.methods.items():
        if method.profile is not None and method.profile not in spec.profiles:
            message = f"there is no profile '{method.profile}'"
            yield ("spec", "methods", selector, "profile"), "unknown-profile", message, did_you_mean(
                method.profile, spec.profiles
            )


def _calls(spec: SpecBody) -> Iterator[Found]:
    for selector, method in spec.methods.items():
        for step, group in enumerate(method.calls or ()):
            for index, name in enumerate(group):
                if name not in spec.dependencies:
                    path: Path = ("spec", "methods", selector, "calls", step, index)
                    hint = did_you_mean(name, spec.dependencies)
                    yield path, "unknown-dependency", f"there is no dependency '{name}'", hint
    for index, fault in enumerate(spec.chaos.faults):
        for item, name in enumerate(fault.dependencies):
            if name not in spec.dependencies:
                path = ("spec", "chaos", "faults", index, "dependencies", item)
                hint = did_you_mean(name, spec.dependencies)
                yield path, "unknown-dependency", f"there is no dependency '{name}'", hint


def _stores(spec: SpecBody) -> Iterator[Found]:
    """A store is memory, or a dependency that speaks Redis."""
    blocks: list[tuple[Path, Model]] = [(("spec",), spec)]
    blocks += [(("spec", "profiles", name), block) for name, block in spec.profiles.items()]
    blocks += [(("spec", "methods", name), block) for name, block in spec.methods.items()]
    for name, dependency in spec.dependencies.items():
        blocks.append((("spec", "dependencies", name), dependency))
        blocks += [(("spec", "dependencies", name, "methods", rpc), block) for rpc, block in dependency.methods.items()]
    stores = [name for name, dependency in spec.dependencies.items() if dependency.protocol == "redis"]
    for path, block in blocks:
        for key in ("rateLimiter", "idempotency"):
            mechanism = getattr(block, fields(type(block))[key].attribute)
            store = getattr(mechanism, "store", "memory")
            if store != "memory" and store not in stores:
                message = f"'{store}' is neither memory nor a dependency of protocol redis"
                yield (*path, key, "store"), "unknown-store", message, did_you_mean(store, ["memory", *stores])
        yield from _names_of_keys(path, block)
        yield from _callers_nobody_asks_for(spec, path, block)


def _callers_nobody_asks_for(spec: SpecBody, path: Path, block: Model) -> Iterator[Found]:
    """A limit for each caller of a service that asks nobody who they are, or for the calls that it makes for each."""
    limiter = getattr(block, "rate_limiter", None)
    if spec.auth is None and limiter is not None and limiter.key is not None:
        source = limiter.key.source
        if source == "principal" or source.startswith("auth.claim:"):
            message = f"'{source}' is what nobody has without spec.auth"
            yield (*path, "rateLimiter", "key", "from"), "wrong-value", message, "set spec.auth, or name another key"


def _names_of_keys(path: Path, block: Model) -> Iterator[Found]:
    """A key is text, and stands where a caller can put it."""
    limiter, idempotency = getattr(block, "rate_limiter", None), getattr(block, "idempotency", None)
    if limiter is not None and limiter.key is not None and limiter.key.source.endswith("-bin"):
        yield (*path, "rateLimiter", "key", "from"), "wrong-value", "'-bin' metadata is no text", "name another"
    header = getattr(idempotency, "header", "Idempotency-Key")
    name = header.lower()
    if name in _OF_PROTOCOLS or name.startswith("grpc-") or name.endswith("-bin") or not _HEADER.fullmatch(header):
        message = f"'{header}' is no header that can carry a key"
        yield (*path, "idempotency", "header"), "wrong-value", message, "for example Idempotency-Key"


def _dependencies(spec: SpecBody) -> Iterator[Found]:
    for name, dependency in spec.dependencies.items():
        yield from check_dependency(("spec", "dependencies", name), dependency)


def _messages(spec: SpecBody) -> Iterator[Found]:
    for section, rows in (("table", spec.errors.table), ("byCode", spec.errors.by_code)):
        for name, row in rows.items():
            if row.retryable is False and row.retry_after is not None:
                message = "contradicts retryable: false"
                yield ("spec", "errors", section, name, "retryAfter"), "wrong-value", message, "remove one of them"
            yield from _placeholders(("spec", "errors", section, name, "message"), dict(row.message))


def _placeholders(path: Path, message: dict[str, str]) -> Iterator[Found]:
    names: dict[str, set[str]] = {}
    for language, text in message.items():
        try:
            names[language] = set(placeholders(text))
        except ValueError as error:
            yield (*path, language), "wrong-placeholder", str(error), ""
    folded: dict[str, str] = {}
    for language in message:
        if language.lower() in folded:
            yield (*path, language), "duplicate-key", f"the same language as '{folded[language.lower()]}'", ""
        folded[language.lower()] = language
    first = next(iter(names), "")
    for language, found in names.items():
        if found != names[first]:
            only = [f"only {where} has {{{name}}}" for where, name in _differences(first, language, names)]
            message_ = f"the placeholders differ from those of '{first}': {', '.join(only)}"
            yield (*path, language), "placeholders-differ", message_, "every language names the same placeholders"


def _differences(first: str, second: str, names: dict[str, set[str]]) -> list[tuple[str, str]]:
    missing = [(f"'{first}'", name) for name in sorted(names[first] - names[second])]
    return missing + [(f"'{second}'", name) for name in sorted(names[second] - names[first])]


def _lifecycle(spec: SpecBody) -> Iterator[Found]:
    times = spec.lifecycle
    needed = times.propagation_delay + times.drain_timeout + times.cleanup_timeout
    if needed > times.termination_grace_period:
        written = times.model_fields_set
        keys = ("terminationGracePeriod", "drainTimeout", "propagationDelay", "cleanupTimeout")
        key = next(key for key in keys if fields(type(times))[key].attribute in written)
        message = (
            f"propagationDelay, drainTimeout and cleanupTimeout add up to {format_duration(needed)}, "
            f"more than terminationGracePeriod ({format_duration(times.termination_grace_period)})"
        )
        hint = f"set terminationGracePeriod to {format_duration(needed)} or more, or shorten the others"
        yield ("spec", "lifecycle", key), "grace-period-too-short", message, hint


def _ports(spec: SpecBody) -> Iterator[Found]:
    taken: dict[int, str] = {}
    for name in ("grpc", "rest", "admin"):
        section = getattr(spec.server, name)
        if section.port and section.port in taken:
            other = taken[section.port]
            at = name if "port" in section.model_fields_set else other
            message = f"the port {section.port} is that of spec.server.{other if at == name else name} too"
            yield ("spec", "server", at, "port"), "duplicate-port", message, "give each listener its own, or 0"
        taken.setdefault(section.port, name)


def _addresses(spec: SpecBody) -> Iterator[Found]:
    bind = spec.server.admin.bind
    if not _ADDRESS.fullmatch(bind):
        yield (
            "spec",
            "server",
            "admin",
            "bind",
        ), "wrong-value", f"'{bind}' is no address", "such as 127.0.0.1, 0.0.0.0 or ::"


def _cors(spec: SpecBody) -> Iterator[Found]:
    cors = spec.server.rest.cors
    path: Path = ("spec", "server", "rest", "cors")
    if not cors.allow_origins:
        for attribute in sorted(cors.model_fields_set - {"allow_origins"}):
            key = next(key for key, field in fields(type(cors)).items() if field.attribute == attribute)
            yield (*path, key), "useless-key", "has no effect without allowOrigins", "list the origins of the pages"
    for index, origin in enumerate(cors.allow_origins):
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            message = f"'{origin}' is not what a browser calls an origin"
            hint = "scheme, host in lower case, and the port unless it is the scheme's: https://shop.example.com"
            yield (*path, "allowOrigins", index), "wrong-value", message, hint
    for key, names in (("allowHeaders", cors.allow_headers), ("exposeHeaders", cors.expose_headers)):
        for index, name in enumerate(names):
            if not _HEADER.fullmatch(name):
                yield (*path, key, index), "wrong-value", f"'{name}' is not the name of a header", ""
    if cors.allow_credentials and "*" in cors.allow_origins:
        message = "credentials cannot be allowed to every origin"
        yield (*path, "allowCredentials"), "wrong-value", message, "name the origins"
    if cors.allow_credentials and "*" in cors.expose_headers:
        message = "'*' means no header but '*' where credentials are allowed"
        yield (*path, "exposeHeaders"), "wrong-value", message, "name the headers"


def _health(spec: SpecBody) -> Iterator[Found]:
    if spec.health.score is None:
        return
    total = sum(spec.health.score.weights.model_dump().values())
    if abs(total - 1) > 1e-6:
        message = f"the weights add up to {total:g}, not to 1"
        yield ("spec", "health", "score", "weights"), "wrong-value", message, "absent weights keep their defaults"


def _slos(spec: SpecBody) -> Iterator[Found]:
    seen: set[str] = set()
    for index, slo in enumerate(spec.slos):
        if slo.name in seen:
            yield ("spec", "slos", index, "name"), "duplicate-key", f"a second objective '{slo.name}'", ""
        seen.add(slo.name)


def _registry(spec: SpecBody) -> Iterator[Found]:
    registry = spec.registry
    if registry.kind == "etcd" and registry.heartbeat >= registry.ttl:
        message = f"is not shorter than ttl ({format_duration(registry.ttl)})"
        yield ("spec", "registry", "heartbeat"), "wrong-value", message, "renew at least twice in each ttl"


def _auth(spec: SpecBody) -> Iterator[Found]:
    auth = spec.auth
    if auth is None:
        return
    path: Path = ("spec", "auth")
    mutual = spec.tls.mode == "mtls"
    if not auth.jwt and not auth.client_certificates:
        message = "nobody could be authenticated: there is neither jwt nor clientCertificates"
        yield path, "missing-key", message, "name the issuer of your tokens, or turn it off with auth: false"
    if auth.client_certificates and not mutual:
        message = f"clients are not asked for certificates with tls.mode: {spec.tls.mode}"
        yield (*path, "clientCertificates"), "useless-key", message, "set tls.mode to mtls, with a clientCa"
    seen: set[str] = set()
    for index, issuer in enumerate(auth.jwt):
        if issuer.issuer in seen:
            yield (*path, "jwt", index, "issuer"), "duplicate-key", f"a second issuer '{issuer.issuer}'", ""
        seen.add(issuer.issuer)
    for selector, rule in auth.rules.items():
        for key, wanted in (("anyScope", rule.any_scope), ("allScopes", rule.all_scopes), ("anyRole", rule.any_role)):
            if wanted and not auth.jwt:
                message = "nobody has any: scopes and roles come with tokens, and auth.jwt names no issuer"
                yield (*path, "rules", selector, key), "useless-key", message, "use anyPeer, or name an issuer"
        if rule.any_peer and not mutual:
            message = f"nobody has any: clients are not asked for certificates with tls.mode: {spec.tls.mode}"
            yield (*path, "rules", selector, "anyPeer"), "useless-key", message, "set tls.mode to mtls, with a clientCa"


def _chaos(spec: SpecBody) -> Iterator[Found]:
    chaos = spec.chaos
    for index, fault in enumerate(chaos.faults):
        path: Path = ("spec", "chaos", "faults", index)
        if fault.latency is None and fault.abort is None:
            yield path, "missing-key", "does nothing without latency or abort", "for example latency: 200ms"
        if fault.latency is not None and fault.latency > chaos.max_latency:
            message = f"{format_duration(fault.latency)} is more than maxLatency ({format_duration(chaos.max_latency)})"
            yield (*path, "latency"), "wrong-value", message, "shorten it, or raise maxLatency"
        if fault.dependencies and fault.methods:
            message = "a fault with dependencies hits the calls to those, whatever method makes them"
            yield (*path, "methods"), "useless-key", message, "give each a fault of its own"
        for item, name in enumerate(fault.dependencies):
            if name in spec.dependencies and spec.dependencies[name].protocol == "redis":
                message = f"'{name}' is of protocol redis: its calls go through no chain that could inject anything"
                yield (*path, "dependencies", item), "useless-key", message, "remove it"
