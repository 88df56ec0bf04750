"""The whole of a resilience spec, v1."""

from collections.abc import Mapping
from typing import Annotated, Literal

from generator.spec.auth import Auth
from generator.spec.dependencies import Dependency
from generator.spec.environment import Chaos, Registry
from generator.spec.error_table import Errors
from generator.spec.fields import DependencyName, Model, Name, Selector, Switch, Text, setting
from generator.spec.observability import Health, Observability, Slo
from generator.spec.policy import ServerPolicy
from generator.spec.server import Lifecycle, Server, Tls
from generator.spec.spelling import text

API_VERSION = "resilience.sre.io/v1"
KIND = "ServiceResiliencePolicy"

ServiceName = Annotated[
    str,
    text(
        "service name",
        pattern="^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$",
        hint="a service's name is lower-case letters, digits and '-', at most 63",
    ),
]


LabelName = Annotated[
    str,
    text(
        "label",
        pattern="^[a-z][a-z0-9_]{0,62}$",
        hint="a label is lower-case letters, digits and '_', at most 63",
    ),
]


class Metadata(Model):
    """What the service is called."""

    name: ServiceName | None = setting(None, "The service's name; the project's when absent.", example="orders")
    labels: Mapping[LabelName, Text] = setting(
        None,
        "Labels of your own: on the resource of its spans, and in target_info of its metrics.",
        example={"team": "shop"},
        factory=dict,
    )


class MethodPolicy(ServerPolicy):
    """What one method, or all methods of a service, do differently."""

    profile: Name | None = setting(None, "The bundle to start from.", example="read")
    calls: tuple[tuple[DependencyName, ...], ...] | None = setting(
        None,
        "The dependencies it calls: the groups one after another, those in a group in parallel.",
        example=[["inventory"], ["payments", "fx"]],
    )


class SpecBody(ServerPolicy):
    """Everything under `spec`: the defaults of every method, and the sections."""

    profiles: Mapping[Name, ServerPolicy] = setting(
        None,
        "Named bundles of mechanisms.",
        example={"read": {"deadline": {"default": "2s", "max": "5s"}}},
        factory=dict,
    )
    methods: Mapping[Selector, MethodPolicy] = setting(
        None,
        "Overrides by Method, Service/Method, package.Service/Method or Service/*.",
        example={"GetOrder": {"profile": "read"}},
        factory=dict,
    )
    dependencies: Mapping[DependencyName, Dependency] = setting(
        None,
        "Whom the service calls.",
        example={"inventory": {"contract": "inventory/v1/inventory.proto", "target": "dns:///inventory:50051"}},
        factory=dict,
    )
    errors: Errors = setting(None, "How failures look from outside.", factory=Errors.model_construct)
    server: Server = setting(None, "Ports, sizes and processes.", factory=Server.model_construct)
    auth: Switch[Auth] = setting(None, "Who may call what.")
    tls: Tls = setting(None, "Encryption of both ports.", example={"mode": "off"}, factory=Tls.model_construct)
    lifecycle: Lifecycle = setting(None, "The way up and down.", factory=Lifecycle.model_construct)
    observability: Observability = setting(None, "Metrics, traces and logs.", factory=Observability.model_construct)
    health: Health = setting(None, "How the service judges itself.", factory=Health.model_construct)
    slos: tuple[Slo, ...] = setting((), "Objectives.", example=[{"name": "availability", "objective": 99.9}])
    registry: Registry = setting(None, "Where the service announces itself.", factory=Registry.model_construct)
    chaos: Chaos = setting(None, "Deliberate faults.", factory=Chaos.model_construct)


class ResilienceSpec(Model):
    """A resilience spec: how a service behaves when things go wrong."""

    api_version: Literal["resilience.sre.io/v1"] = setting(
        API_VERSION, "The version of this format.", example=API_VERSION
    )
    kind: Literal["ServiceResiliencePolicy"] = setting(KIND, "The kind of document.", example=KIND)
    metadata: Metadata = setting(None, "What the service is called.", factory=Metadata.model_construct)
    spec: SpecBody = setting(None, "How it behaves.", factory=SpecBody.model_construct)
