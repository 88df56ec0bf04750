"""Service configurations: `google.api.Service` in YAML, whose http rules override the contract's annotations.

The format is that of google/api/service.proto and google/api/http.proto as API producers write it; keys may have their
proto or their JSON names. `apis` and `http` are read, the sections that say nothing of the surface are not, and what is
neither is a finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from google.api import http_pb2

from generator.contract.sources import shown
from generator.document import Entry, Mapping, Node, Scalar, dotted, parse, read
from generator.document import Path as Keys
from generator.document import Sequence as Items
from generator.errors import Finding, InputError, Place, did_you_mean

MIXINS = {
    "google.cloud.location.Locations": "google/cloud/location/locations.proto",
    "google.iam.v1.IAMPolicy": "google/iam/v1/iam_policy.proto",
    "google.longrunning.Operations": "google/longrunning/operations.proto",
}
"""The services that many APIs serve beside their own, and the files that declare them."""

_TYPE = "google.api.Service"
_READ = ("type", "apis", "http")
# The other fields of google.api.Service, and those it once had.
# fmt: off
_NOT_OURS = (
    "authentication", "backend", "billing", "config_version", "context", "control", "custom_error", "documentation",
    "endpoints", "enums", "experimental", "features", "id", "legacy", "logging", "logs", "metrics",
    "monitored_resources", "monitoring", "name", "producer_project_id", "project_properties", "publishing", "quota",
    "source_info", "system_parameters", "system_types", "title", "types", "usage", "visibility"
)
# fmt: on
_API = ("name", "mixins")
_API_NOT_OURS = ("edition", "methods", "options", "source_context", "syntax", "version")
_HTTP = ("rules",)
# Single segments are always decoded whole, and "/" stays encoded in several: what it asks for, as far as it can be.
_HTTP_NOT_OURS = ("fully_decode_reserved_expansion",)
_VERBS = ("get", "put", "post", "delete", "patch")
_RULE = ("selector", *_VERBS, "custom", "body", "response_body", "additional_bindings")
_SELECTOR = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Api:
    """A service that a configuration says is served."""

    name: str  # "pkg.Service"
    place: Place


@dataclass(frozen=True, slots=True)
class ConfigRule:
    """One http rule; `binding_places` are those of its own pattern and of its additional bindings."""

    selector: str  # "pkg.Service.Method"
    rule: http_pb2.HttpRule
    place: Place  # of the selector
    binding_places: tuple[Place, ...]

    @property
    def service(self) -> str:
        """The full name of the service that the rule's RPC is of."""
        return self.selector.rpartition(".")[0]


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """What the service configurations of a project say together, in their order."""

    apis: tuple[Api, ...] = ()
    rules: tuple[ConfigRule, ...] = ()

    @property
    def services(self) -> tuple[Api, ...]:
        """Every service that is named, in `apis` or by a rule, once, where it is named first."""
        named = [*self.apis, *(Api(rule.service, rule.place) for rule in self.rules)]
        return tuple({api.name: api for api in reversed(named)}[name] for name in dict.fromkeys(a.name for a in named))

    @property
    def overrides(self) -> dict[str, ConfigRule]:
        """The rule that counts for each RPC: of several, the last."""
        return {rule.selector: rule for rule in self.rules}


NO_CONFIG = ServiceConfig()


def load(paths: Sequence[Path]) -> ServiceConfig:
    """The configurations in these files as one. Raises InputError with everything that is wrong with their form.

    Whether what they name is in the contract, is for whoever loads it to say.
    """
    apis: list[Api] = []
    rules: list[ConfigRule] = []
    findings: list[Finding] = []
    for path in paths:
        reader = _Reader(findings)
        try:
            root, form = parse(read(path), shown(path))
        except InputError as error:
            findings += error.findings
            continue
        findings += form
        if root is None and not form:
            findings.append(Finding(Place(shown(path), 1, 1), "wrong-type", "the file is empty", _hint_of_type()))
        elif root is not None:
            reader.document(root)
            apis += reader.apis
            rules += reader.rules
    if findings:
        raise InputError(sorted(set(findings)))
    return ServiceConfig(tuple(apis), tuple(rules))


def _hint_of_type() -> str:
    return f"a service configuration is a mapping with type: {_TYPE}, apis and http.rules"


class _Reader:
    """Reads one document; what is wrong with it is added to `findings`."""

    __slots__ = ("_findings", "apis", "rules")

    def __init__(self, findings: list[Finding]) -> None:
        self._findings = findings
        self.apis: list[Api] = []
        self.rules: list[ConfigRule] = []

    def document(self, root: Node) -> None:
        if not isinstance(root, Mapping):
            self._report(root.place, "wrong-type", "this is no mapping", _hint_of_type())
            return
        keys = self._keys(root, (), _READ, _NOT_OURS)
        if (kind := keys.get("type")) is not None:
            name = self._text(kind.node, ("type",))
            if name not in (None, _TYPE):
                self._report(kind.node.place, "wrong-value", f"type: '{name}' is not {_TYPE}", _hint_of_type())
                return
        for path, item in self._items(keys.get("apis"), ("apis",)):
            self._api(item, path)
        http = self._mapping(keys.get("http"), ("http",), _HTTP, _HTTP_NOT_OURS)
        for path, item in self._items(http.get("rules"), ("http", "rules")):
            self._rule(item, path)

    def _api(self, node: Node, path: Keys) -> None:
        if not isinstance(node, Mapping):
            self._report(node.place, "wrong-type", f"{dotted(path)}: expected a mapping with a name")
            return
        keys = self._keys(node, path, _API, _API_NOT_OURS)
        self._name(keys.get("name"), path, node.place)
        for below, mixin in self._items(keys.get("mixins"), (*path, "mixins")):
            inner = self._keys(mixin, below, ("name",)) if isinstance(mixin, Mapping) else {}
            self._name(inner.get("name"), below, mixin.place)

    def _name(self, entry: Entry | None, path: Keys, place: Place) -> None:
        name = self._text(entry.node, (*path, "name")) if entry else ""
        if name:
            self.apis.append(Api(name, entry.node.place if entry else place))
        elif name == "":
            self._report(place, "missing-key", f"{dotted(path)} has no name", 'the service\'s: "pkg.Service"')

    def _rule(self, node: Node, path: Keys) -> None:
        rule, place, keys = self._binding(node, path)
        if keys is None:
            return
        nested = [
            self._binding(item, below)
            for below, item in self._items(keys.get("additional_bindings"), (*path, "additional_bindings"))
        ]
        for binding, _, inner in nested:
            if inner and "selector" in inner:
                message = "an additional binding is of its rule's RPC: a selector of its own has no effect"
                self._report(inner["selector"].place, "useless-key", message, "remove it")
            if inner and "additional_bindings" in inner:
                binding.additional_bindings.add()  # `bind` complains about it
            rule.additional_bindings.append(binding)
        self._select(rule, node, path, keys.get("selector"), (place, *(at for _, at, _ in nested)))

    def _select(
        self, rule: http_pb2.HttpRule, node: Node, path: Keys, selector: Entry | None, places: tuple[Place, ...]
    ) -> None:
        """Keeps the rule, if it says which RPC it is for."""
        name = self._text(selector.node, (*path, "selector")) if selector else ""
        if selector is None or name == "":
            hint = "the RPC that it is for: pkg.Service.Method"
            self._report(node.place, "missing-key", f"{dotted(path)} has no selector", hint)
        elif name is not None and not _SELECTOR.fullmatch(name):
            hint = "a rule is for one: pkg.Service.Method; no two could be served at its path"
            self._report(selector.node.place, "wrong-selector", f"'{name}' does not select one RPC", hint)
        elif name is not None:
            self.rules.append(ConfigRule(name, rule, selector.node.place, places))

    def _binding(self, node: Node, path: Keys) -> tuple[http_pb2.HttpRule, Place, dict[str, Entry] | None]:
        """The binding without its additional ones, its place (that of its pattern), and its keys; None for no mapping."""
        rule = http_pb2.HttpRule()
        if not isinstance(node, Mapping):
            self._report(node.place, "wrong-type", f"{dotted(path)}: expected a mapping")
            return rule, node.place, None
        keys = self._keys(node, path, _RULE)
        patterns = [key for key in (*_VERBS, "custom") if key in keys]
        for key in patterns[1:]:
            message = f"{dotted(path)} has {' and '.join(patterns)}: a binding has one path"
            self._report(keys[key].place, "http-many-paths", message, "list the others under additional_bindings")
        for key in patterns[:1]:
            if key == "custom":
                custom = self._mapping(keys[key], (*path, key), ("kind", "path"))
                rule.custom.SetInParent()
                for part in custom.keys() & {"kind", "path"}:
                    setattr(rule.custom, part, self._text(custom[part].node, (*path, key, part)) or "")
            else:
                setattr(rule, key, self._text(keys[key].node, (*path, key)) or "")
        for key in ("body", "response_body"):
            if key in keys:
                setattr(rule, key, self._text(keys[key].node, (*path, key)) or "")
        return rule, keys[patterns[0]].place if patterns else node.place, keys

    def _keys(self, node: Mapping, path: Keys, known: Sequence[str], ignored: Sequence[str] = ()) -> dict[str, Entry]:
        """The entries by their proto names, those without a value left out; a finding for each that is not known."""
        names = {alias: name for name in (*known, *ignored) for alias in (name, _json_name(name))}
        found: dict[str, Entry] = {}
        for key, entry in node.entries.items():
            name = names.get(key)
            if name is None:
                message = f"unknown key {dotted((*path, key))}"
                self._report(entry.place, "unknown-key", message, did_you_mean(key, known))
            elif name in found:
                self._report(
                    entry.place, "duplicate-key", f"{dotted((*path, key))} is there already under its other name"
                )
            elif not (isinstance(entry.node, Scalar) and entry.node.value is None):
                found[name] = entry
        return found

    def _mapping(
        self, entry: Entry | None, path: Keys, known: Sequence[str], ignored: Sequence[str] = ()
    ) -> dict[str, Entry]:
        if entry is None:
            return {}
        if not isinstance(entry.node, Mapping):
            self._report(entry.node.place, "wrong-type", f"{dotted(path)}: expected a mapping")
            return {}
        return self._keys(entry.node, path, known, ignored)

    def _items(self, entry: Entry | None, path: Keys) -> Iterator[tuple[Keys, Node]]:
        if entry is None:
            return
        if not isinstance(entry.node, Items):
            self._report(entry.node.place, "wrong-type", f"{dotted(path)}: expected a list")
            return
        for index, item in enumerate(entry.node.items):
            yield (*path, index), item

    def _text(self, node: Node, path: Keys) -> str | None:
        """The text that stands there, None where something else does."""
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return node.value
        self._report(node.place, "wrong-type", f"{dotted(path)}: expected text")
        return None

    def _report(self, place: Place, id: str, message: str, hint: str = "") -> None:
        self._findings.append(Finding(place, id, message, hint))


def _json_name(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
