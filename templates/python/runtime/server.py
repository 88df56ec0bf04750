"""One server: the chains composed around the handlers, the transports, and the steps of start and stop."""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from .admin import Admin, AdminServer, config_of
from .application import endpoint_of, match_fallbacks, match_handlers
from .background import Background
from .batch import ENTER_EVERY
from .breakers import breakers_of
from .client.environment import Outbound
from .client.measures import ClientMeasures
from .client.reachability import Probe, reach
from .clock import Clock, LoopClock, every
from .definition import Application, ApplicationFactory, Definition, DependencyFallbacks, ServiceBase
from .health import Health
from .hurry import Hurry
from .log_format import renderer
from .logs import Clock as WallClock
from .logs import LineWriter
from .measures import Measures, uncounted
from .pipeline import Endpoint, UserStage, arrange, compose
from .resilience import LOOK_EVERY, Resilience
from .settings import Settings
from .shared import Shared
from .shutdown import shut_down
from .stages import built_in
from .stages.admission import admissions
from .stages.boundary import InFlight
from .stages.drain_gate import Gate
from .stages.environment import Environment
from .starting import StartError, require
from .transport import Transport
from .transport.grpc_aio import GrpcTransport
from .transport.rest import RestTransport

if TYPE_CHECKING:
    from .certificates import Certificates


_log = logging.getLogger(__name__)


class PortError(StartError):
    """A port that cannot be had."""


class Server:
    """Serves one definition. `start` opens everything; `shutdown.shut_down` takes it down step by step.

    The ports are 0 until they are bound.
    """

    def __init__(
        self,
        definition: Definition,
        settings: Settings,
        *,
        writer: LineWriter | None = None,
        tracing: Any = None,
        with_admin: bool = True,
        clock: Clock | None = None,
        on_judged: Callable[[Mapping[str, object]], None] | None = None,
    ) -> None:
        """`on_judged` hears what `/healthz` shows of the resilience score, each time that there is a new one."""
        policies = definition.policies
        self.definition = definition
        self.settings = settings
        self.health = Health(service.SERVICE for service in definition.services)
        self.in_flight = InFlight()
        self.background = Background()
        self.tracing = tracing
        self.measures = Measures(policies.observability.buckets) if policies.observability.metrics else None
        if self.measures is not None:
            self.measures.target(definition.name, policies.observability.labels)
        self.grpc_port = 0
        self.rest_port = 0
        self.admin_port = 0
        self.shared = Shared()
        self.chains: dict[str, tuple[str, ...]] = {}  # the stages of each RPC by its path, outermost first
        self._gate = Gate()
        self._clock = clock
        self._on_judged = on_judged
        self._writer = writer
        self._random = random.Random()  # noqa: S311 - jitter and ids, no secrets
        self._faulty = False  # whether faults are injected
        self._resilience: Resilience | None = None
        self._fallbacks: dict[str, DependencyFallbacks] = {}
        self._stages = AsyncExitStack()
        self._clients = AsyncExitStack()
        self._application = AsyncExitStack()
        self._transports: list[Transport] = []
        self._probes: list[Probe] = []
        self._reaching: asyncio.Task[None] | None = None
        self._admin: AdminServer | None = None
        if with_admin:
            exposition = None if self.measures is None else self.measures.exposition
            admin = Admin(
                self.health.report, config_of(definition.name, policies), exposition, self._detail, self.operate
            )
            self._admin = AdminServer(admin, settings.admin_host, settings.admin_port)

    # -- start ----------------------------------------------------------------------------------------------------

    async def start(self, application: ApplicationFactory) -> None:
        """Admin port, clients, application, transports; then every service serves, once its dependencies are reached.

        Must run in the task that later closes the application: what it opens may be bound to its task.
        Raises ApplicationError for handlers that do not fit, StartError for an address or a file that cannot be had,
        and what the application raises; `shut_down` must follow in each case.
        """
        if self._admin is not None:
            self.admin_port = await _bound(self._admin, f"ADMIN_PORT={self.settings.admin_port}")
        self._resilience = self._judge()
        self._faulty = self._inject_faults()
        clients = await self._clients.enter_async_context(self.definition.open_clients(self._outbound()))
        opened: AbstractAsyncContextManager[Application] = application(clients)
        composed = await self._application.enter_async_context(opened)
        self._fallbacks.update(match_fallbacks(self.definition, composed))
        if self._resilience is not None:
            self._resilience.business = composed.business
            self.shared.opened.append(every(self._clock or LoopClock(), LOOK_EVERY, self._resilience.look))
        if self.measures is not None:
            flush = self.measures.batch.flush
            self.shared.opened.append(every(LoopClock(), ENTER_EVERY, lambda _: flush()))
        environment = self._environment(match_handlers(self.definition, composed))
        endpoints = self._endpoints(composed.stages, environment)
        certificates = self._certificates(environment.clock)
        admitting = admissions(environment)
        for opening in self.shared.opened:
            await self._stages.enter_async_context(opening)
        grpc = GrpcTransport(
            self.definition,
            endpoints,
            host=self.settings.host,
            port=self.settings.grpc_port,
            health=self.health,
            spawn=self.background.spawn,
            reuse_port=self.settings.reuse_port,
            certificates=certificates,
            admissions=admitting,
        )
        rest = RestTransport(
            self.definition,
            endpoints,
            host=self.settings.host,
            port=self.settings.rest_port,
            spawn=self.background.spawn,
            reuse_port=self.settings.reuse_port,
            observe_refusal=None if self.measures is None else self.measures.refusal,
            clock=self._clock,
            certificates=certificates,
        )
        self._transports = [grpc, rest]
        self.grpc_port = await _bound(grpc, f"GRPC_PORT={self.settings.grpc_port}")
        self.rest_port = await _bound(rest, f"REST_PORT={self.settings.rest_port}")
        if all(probe.optional for probe in self._probes):
            self.health.serve()
        if self._probes:
            within = self.definition.policies.lifecycle.startup_timeout
            trying = reach(self._probes, within, self._clock or LoopClock(), self.health.serve)
            self._reaching = asyncio.create_task(trying)

    def _outbound(self) -> Outbound:
        policies, measures = self.definition.policies, self.measures
        return Outbound(
            policies=policies,
            environ=os.environ,
            clock=self._clock or LoopClock(),
            random=self._random,
            shared=self.shared,
            measures=None if measures is None else ClientMeasures(measures.batch, policies.observability.buckets),
            tracing=self.tracing,
            probes=self._probes,
            observe=None if self._resilience is None else self._resilience.attempt,
            degraded=None if self._resilience is None else self._resilience.degraded,
            inject_faults=self._faulty,
            service=self.definition.name,
            fallbacks=self._fallbacks,
        )

    def _judge(self) -> Resilience | None:
        policy, on_judged = self.definition.policies.score, self._on_judged
        if policy is None:
            return None
        note = uncounted if self.measures is None else self.measures.judged()

        def heard(score: float, degraded: bool) -> None:
            note(score, degraded)
            if on_judged is not None:
                on_judged(made.report())

        made = Resilience(policy, heard)
        return made

    async def operate(self, name: str, action: str) -> Mapping[str, object] | None:
        """The operator's word to a circuit breaker, as `breakers.Operate` has it."""
        return await breakers_of(self.shared).operate(name, action)

    def _detail(self) -> dict[str, object]:
        """What `/healthz` adds to the report."""
        return {} if self._resilience is None else {"resilience": self._resilience.report()}

    def _certificates(self, clock: Clock) -> Certificates | None:
        """What both ports speak TLS with, None for plain ones."""
        policy = self.definition.policies.tls
        if policy is None:
            return None
        require("cryptography", "cryptography", "tls")
        from .certificates import Certificates  # only here: it takes a while to import

        tell = uncounted if self.measures is None else self.measures.certificate_expiry()
        certificates = Certificates(policy, tell)
        self.shared.opened.append(certificates.watched(clock))
        return certificates

    def _inject_faults(self) -> bool:
        """Whether this environment allows deliberate faults; one that does not is told that there are some."""
        policies, here = self.definition.policies, self.settings.environment
        own = any(policy.faults for policy in policies.methods.values())
        if not own and not any(policy.faults for policy in policies.dependencies.values()):
            return False
        allowed = here in policies.fault_environments
        where = ", ".join(policies.fault_environments) or "none"
        said = "faults are injected" if allowed else "no fault is injected"
        _log.warning("%s: ENVIRONMENT is %s, allowed are: %s", said, here, where)
        return allowed

    def _environment(self, handlers: Mapping[str, ServiceBase]) -> Environment:
        policies = self.definition.policies
        return Environment(
            in_flight=self.in_flight,
            gate=self._gate,
            clock=self._clock or LoopClock(),
            random=self._random,
            unmapped=policies.unmapped,
            measures=self.measures,
            tracing=self.tracing,
            write_line=None if self._writer is None else self._writer.write_later,
            log_level=logging.getLevelNamesMapping()[self.settings.log_level],
            redact=policies.observability.redact,
            wall_clock=WallClock(),
            render=renderer(policies.observability.log_format),
            routes=self.definition.routes,
            errors=self.definition.errors,
            handlers=handlers,
            propagate=policies.observability.propagate,
            service=self.definition.name,
            auth=policies.auth,
            dependencies=self.settings.reached(policies.dependencies),
            inject_faults=self._faulty,
            secure=policies.tls is not None,
            resilience=self._resilience,
            shared=self.shared,
        )

    def _endpoints(self, own: Sequence[UserStage], environment: Environment) -> Mapping[str, Endpoint]:
        policies, handlers = self.definition.policies, environment.handlers
        endpoints: dict[str, Endpoint] = {}
        for service in self.definition.services:
            for method in service.METHODS:
                stages = built_in(method, policies.methods[method.path], environment)
                chain = arrange(stages, [*self.definition.stages, *own], method)
                self.chains[method.path] = tuple(stage.name for stage in chain)
                endpoints[method.path] = compose(chain, endpoint_of(method, handlers.get(service.SERVICE)))
        return endpoints

    # -- the steps of a stop, in the order of `shut_down` -----------------------------------------------------------

    def begin_drain(self) -> None:
        """Readiness and health say no; calls are served as before, until those who ask have heard."""
        self.health.terminate()

    async def stop_accepting(self, hurry: Hurry) -> None:
        """Close both listeners; a call that comes over an open connection is told to go elsewhere."""
        self._gate.closed = True
        self.health.close()
        for transport in self._transports:
            await transport.stop_accepting(hurry)

    async def stop_transports(self, grace: float) -> None:
        """Give answers up to `grace` seconds to leave, then drop the connections."""
        for transport in self._transports:
            await transport.stop(grace)
        self._transports.clear()

    async def close_application(self) -> None:
        """Leave `app.py`'s context manager."""
        await self._application.aclose()

    async def close_stages(self) -> None:
        """Close what stages have opened: stores, watches."""
        await self._stages.aclose()

    async def close_clients(self) -> None:
        """Close the clients of dependencies, after the application that may have used them until now."""
        if self._reaching is not None:
            self._reaching.cancel()
            await asyncio.gather(self._reaching, return_exceptions=True)
        await self._clients.aclose()

    async def stop_admin(self) -> None:
        """Close the admin port, last of all."""
        if self._admin is not None:
            await self._admin.stop()


async def _bound(listener: Transport | AdminServer, setting: str) -> int:
    try:
        return await listener.start()
    except OSError as error:
        raise PortError(f"{setting}: {error.strerror or error}") from error


@asynccontextmanager
async def running(
    definition: Definition,
    application: ApplicationFactory,
    settings: Settings,
    *,
    writer: LineWriter | None = None,
    tracing: Any = None,
    clock: Clock | None = None,
) -> AsyncIterator[Server]:
    """A server in this process, for tests: serves inside the `async with`, and is shut down without waits at its end.

    No signals, no access log unless `writer` is given, no workers. `clock` is what policies go by, the event loop's own
    by default.
    """
    server = Server(definition, settings, writer=writer, tracing=tracing, clock=clock)
    try:
        await server.start(application)
        yield server
    finally:
        await shut_down(server, definition.policies.lifecycle, patient=False)
        if writer is not None:
            writer.flush()
