"""Ways to break an emitted project, each with the contract test that must notice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mutation:
    """Code appended to one module below `src/PACKAGE`, which changes what the module does, and the test to fail."""

    name: str
    module: str
    code: str
    noticed_by: str

    def __str__(self) -> str:
        return self.name

    @contextmanager
    def applied(self, package: Path) -> Iterator[None]:
        """The project broken inside, and whole again after."""
        file = package / self.module
        whole = file.read_bytes()
        file.write_bytes(whole + b"\n\n" + self.code.encode())
        try:
            yield
        finally:
            file.write_bytes(whole)


def _without(stage: str, noticed_by: str) -> Mutation:
    code = f"ORDER = tuple(place for place in ORDER if place != {stage!r})\n"
    return Mutation(f"no {stage} stage", "runtime/pipeline.py", code, noticed_by)


def _passing(module: str, stage: str, noticed_by: str, folder: str = "stages") -> Mutation:
    """The stage is in its place, and does nothing."""
    code = f"async def _pass(self, call, proceed):\n    await proceed(call)\n\n\n{stage}.__call__ = _pass\n"
    return Mutation(f"a {stage} that does nothing", f"runtime/{folder}/{module}.py", code, noticed_by)


def _swapped(first: str, second: str) -> Mutation:
    """The two stages have changed places."""
    places = f"{{{first!r}: {second!r}, {second!r}: {first!r}}}"
    code = f"ORDER = tuple({places}.get(place, place) for place in ORDER)\n"
    noticed_by = "test_the_stages_are_the_declared_ones_in_the_declared_order"
    return Mutation(f"{second} before {first}", "runtime/pipeline.py", code, noticed_by)


MUTATIONS = (
    _without("boundary", "test_every_row_of_the_error_table_reaches_the_caller_whole"),
    _without("context", "test_the_callers_request_id_is_kept"),
    _without("context", "test_the_answer_says_the_request_id"),
    _without("context", "test_a_failure_says_the_request_id_that_the_call_was_given"),
    _without("context", "test_the_declared_deadline_holds"),
    _without("metrics", "test_calls_are_measured_by_method_and_outcome"),
    _passing("metrics", "Metrics", "test_calls_are_measured_by_method_and_outcome"),
    _without("access_log", "test_each_call_leaves_one_line"),
    _passing("access_log", "AccessLog", "test_each_call_leaves_one_line"),
    _swapped("boundary", "context"),
    _swapped("context", "metrics"),
    _swapped("metrics", "access_log"),
    _swapped("drain_gate", "deadline"),
    _swapped("deadline", "error_mapper"),
    _without("drain_gate", "test_a_call_that_comes_over_an_open_connection_is_told_when_to_come_again"),
    _without("authentication", "test_who_shows_no_token_is_refused"),
    Mutation(
        "tokens that never expire",
        "runtime/tokens/verifier.py",
        "_check_times = lambda claims, now, skew: now + 60.0\n",
        "test_a_token_that_is_no_good_is_refused",
    ),
    Mutation(
        "tokens for whomever",
        "runtime/tokens/verifier.py",
        "_verified = lambda token, *_: jwt.decode(token, options={'verify_signature': False})\n",
        "test_a_token_that_is_no_good_is_refused",
    ),
    _without("authorization", "test_what_no_rule_is_about_nobody_may_call"),
    _passing("authorization", "Authorization", "test_what_the_rule_asks_for_is_enough_and_anything_less_is_not"),
    Mutation(
        "health and reflection for everybody",
        "runtime/stages/admission.py",
        "admissions = lambda environment: {}\n",
        "test_health_and_reflection_are_for_whom_the_spec_says",
    ),
    _swapped("authentication", "authorization"),
    _without("fault_injection", "test_each_fault_hits_the_calls_it_is_for_where_it_is_allowed"),
    Mutation(
        "faults in every environment",
        "runtime/server.py",
        "Server._inject_faults = lambda self: True\n",
        "test_no_fault_is_injected_anywhere_else",
    ),
    _without("rate_limit", "test_as_many_calls_are_admitted_as_declared_and_not_one_more"),
    _passing("rate_limit", "RateLimiting", "test_as_many_calls_are_admitted_as_declared_and_not_one_more"),
    Mutation(
        "a limit of twice as many calls",
        "runtime/policies/gcra.py",
        "_quota = Gcra.admits\nGcra.admits = lambda self, owed, now: _quota(self, owed - self.burst / self.rate, now)\n",
        "test_as_many_calls_are_admitted_as_declared_and_not_one_more",
    ),
    Mutation(
        "nobody waits for a permit",
        "runtime/line.py",
        "_admit = Lines.admit\nLines.admit = lambda self, key, patience: _admit(self, key, 0.0)\n",
        "test_a_call_waits_for_its_permit",
    ),
    Mutation(
        "one limit for all keys",
        "runtime/limiter.py",
        "_ask = Limiter._ask\nLimiter._ask = lambda self, key: _ask(self, '')\n",
        "test_callers_with_different_keys_do_not_count_together",
    ),
    Mutation(
        "answers that do not say what is left",
        "runtime/stages/rate_limit.py",
        "RateLimiting._tell = lambda self, call, verdict: None\n",
        "test_every_answer_over_rest_says_what_is_left",
    ),
    _without("idempotency", "test_duplicates_run_once"),
    _passing("idempotency", "Idempotency", "test_the_second_caller_gets_the_answer_of_the_first"),
    Mutation(
        "any request has any key",
        "runtime/stages/idempotency.py",
        "_fingerprint = lambda request: b''\n",
        "test_a_key_of_another_request_is_refused",
    ),
    Mutation(
        "keys that failures keep",
        "runtime/stages/idempotency.py",
        "_did_nothing = lambda error, by_code: False\n",
        "test_a_failure_that_did_nothing_may_be_tried_again",
    ),
    Mutation(
        "errors that are no answers",
        "runtime/stages/idempotency.py",
        "_did_nothing = lambda error, by_code: True\n",
        "test_an_error_that_would_come_again_is_an_answer_too",
    ),
    _swapped("drain_gate", "rate_limit"),
    _swapped("rate_limit", "idempotency"),
    _swapped("idempotency", "deadline"),
    _without("validation", "test_a_request_without_a_required_field_is_refused_and_the_field_named"),
    _passing("validation", "Validation", "test_a_request_without_a_required_field_is_refused_and_the_field_named"),
    _swapped("validation", "concurrency_limit"),
    _swapped("fault_injection", "load_shedding"),
    _swapped("load_shedding", "authentication"),
    _swapped("health_score", "deadline"),
    _without("deadline", "test_a_call_that_outlives_the_default_deadline_is_stopped"),
    _without("deadline", "test_a_call_with_too_little_time_left_never_reaches_the_handler"),
    _without("load_shedding", "test_sheddable_work_is_refused_from_the_declared_lag_on_until_it_has_cooled_off"),
    _without("concurrency_limit", "test_as_many_calls_run_at_once_as_declared_and_not_one_more"),
    Mutation(
        "permits that are never given back",
        "runtime/policies/concurrency.py",
        "Limiter.release = lambda self, rank: None\n",
        "test_callers_that_go_away_leave_room_for_others",
    ),
    Mutation(
        "shares for nobody",
        "runtime/policies/concurrency.py",
        """
def _acquire(self, rank):
    admitted = self.in_flight < self.limit.limit
    if admitted:
        self.in_flight += 1
        self._by_level[rank] += 1
    return admitted


Limiter.acquire = _acquire
""",
        "test_the_less_critical_calls_go_first_once_the_limit_is_reached",
    ),
    _without("fallback", "test_a_failure_is_answered_by_the_declared_fallback"),
    _without("fallback", "test_a_breakers_fallback_answers_while_it_is_open_and_not_before"),
    _without("circuit_breaker", "test_it_opens_at_the_declared_failures_and_closes_again"),
    Mutation(
        "a breaker that counts what is the caller's doing",
        "runtime/stages/circuit_breaker.py",
        "def is_failure(error, table):\n    return True\n",
        "test_what_is_the_callers_own_doing_does_not_open_it",
    ),
    _without("health_score", "test_a_degraded_service_refuses_sheddable_work_until_it_is_well_again"),
    _without("streaming", "test_a_stream_without_messages_is_ended_after_the_declared_time"),
    _without("streaming", "test_a_stream_that_lasts_longer_than_declared_is_ended"),
    _without("streaming", "test_a_message_may_have_as_many_bytes_as_allowed_and_not_one_more"),
    _swapped("fallback", "circuit_breaker"),
    _swapped("concurrency_limit", "fallback"),
    _without("error_mapper", "test_an_exception_of_no_table_is_answered_without_its_text"),
    Mutation(
        "deadlines without their maximum",
        "runtime/stages/context.py",
        """
from dataclasses import replace

_init = Context.__init__


def _uncapped(self, policy, *arguments, **options):
    _init(self, replace(policy, deadline=replace(policy.deadline, max=1e9)), *arguments, **options)


Context.__init__ = _uncapped
""",
        "test_the_maximum_caps_what_the_caller_asks_for",
    ),
    Mutation(
        "handlers that no cancellation reaches",
        "runtime/pipeline.py",
        """
import asyncio

_handler_endpoint = handler_endpoint


def handler_endpoint(method, handler):
    serve = _handler_endpoint(method, handler)

    async def shielded(call):
        await asyncio.shield(serve(call))

    return shielded
""",
        "test_cancellation_reaches_the_handler",
    ),
    Mutation(
        "REST callers that go unnoticed",
        "runtime/transport/http_connection.py",
        """
_connection_lost = HttpConnection.connection_lost


def _unnoticed(self, exc):
    self.serving = None
    _connection_lost(self, exc)


HttpConnection.connection_lost = _unnoticed
""",
        "test_cancellation_reaches_the_handler",
    ),
    Mutation(
        "a task left behind by each call",
        "runtime/stages/boundary.py",
        """
_serve = Boundary.__call__
_left = []


async def _leaving(self, call, proceed):
    _left.append(asyncio.ensure_future(asyncio.Event().wait()))
    await _serve(self, call, proceed)


Boundary.__call__ = _leaving
""",
        "test_cancellation_reaches_the_handler",
    ),
    Mutation(
        "gRPC errors without trailers",
        "runtime/transport/grpc_aio.py",
        """
def _set_error(error, call, context, table):
    context.set_code(error.code)
    context.set_details(error.message)
""",
        "test_every_row_of_the_error_table_reaches_the_caller_whole",
    ),
    Mutation(
        "REST errors without Retry-After",
        "runtime/status.py",
        "Answer.retry_after_seconds = property(lambda answer: None)\n",
        "test_every_row_of_the_error_table_reaches_the_caller_whole",
    ),
    Mutation(
        "one language for everybody",
        "runtime/language.py",
        "def best_language(metadata, available):\n    return next(iter(available), '')\n",
        "test_every_row_of_the_error_table_reaches_the_caller_whole",
    ),
    Mutation(
        "errors that tell what the handler raised",
        "runtime/stages/error_mapper.py",
        """
_serve = ErrorMapper.__call__


async def _telling(self, call, proceed):
    try:
        await _serve(self, call, proceed)
    except ServiceError as error:
        error.message += str(error.__cause__)
        raise


ErrorMapper.__call__ = _telling
""",
        "test_an_exception_of_no_table_is_answered_without_its_text",
    ),
    Mutation(
        "broken streams that look whole",
        "runtime/transport/framing.py",
        "ARRAY = Framing(ARRAY.content_type, ARRAY.first, ARRAY.next, ARRAY.end, ARRAY.empty, lambda value: b']')\n",
        "test_a_stream_that_fails_on_its_way_is_not_taken_for_whole",
    ),
    Mutation(
        "paths that stay percent-encoded",
        "runtime/routing.py",
        "def _decode(segment):\n    return segment\n",
        "test_requests_and_responses_arrive_as_they_were_sent",
    ),
    Mutation(
        "a wrong HTTP method that is not told from a wrong path",
        "runtime/transport/faults.py",
        "def wrong_verb(allow):\n    return no_route()\n",
        "test_an_http_method_that_no_route_has_is_not_allowed",
    ),
    Mutation(
        "requests that are held back until all have come",
        "runtime/call.py",
        """
_requests = Call.requests


async def _all_first(call):
    for message in [message async for message in _requests(call)]:
        yield message


Call.requests = _all_first
""",
        "test_responses_come_while_requests_are_still_being_sent",
    ),
    Mutation(
        "a shutdown that waits for no call",
        "runtime/stages/boundary.py",
        "async def _at_once(in_flight):\n    pass\n\n\nInFlight.wait_until_empty = _at_once\n",
        "test_a_shutdown_under_load_loses_no_call",
    ),
    Mutation(
        "health that a shutdown does not change",
        "runtime/health.py",
        "Health.terminate = lambda health: None\n",
        "test_a_shutdown_under_load_loses_no_call",
    ),
    Mutation(
        "a route that is not the contract's",
        "gen/routes.py",
        "from dataclasses import replace\n\nROUTES = (replace(ROUTES[0], segments=('v2', 'all')), *ROUTES[1:])\nROUTER = Router(ROUTES)\n",
        "test_every_route_of_the_contract_is_served_and_no_other",
    ),
    Mutation(
        "an RPC that is missing",
        "gen/services/__init__.py",
        "SERVICES[0].METHODS = SERVICES[0].METHODS[:-1]\n",
        "test_every_rpc_of_the_contract_is_served_and_no_other",
    ),
)


MUTATIONS += (
    Mutation(
        "whoever answers is trusted",
        "runtime/client/channel.py",
        "from ..watched_files import WatchedFiles\n\nWatchedFiles.current = lambda files: files._material\n",
        "test_a_dependency_that_nobody_vouches_for_is_not_called",
    ),
    Mutation(
        "connections to dependencies that are plain",
        "runtime/client/channel.py",
        "_init = Channels.__init__\n"
        "Channels.__init__ = lambda self, target, policy, tls, files, clock: _init(self, target, policy, tls, None, clock)\n",
        "test_the_deadline_goes_onward",
    ),
)


# The same for calls to dependencies, in a project that has some.
_CLIENT_CHAIN = "test_calls_have_the_declared_stages_in_the_declared_order"


def _client_without(stage: str, noticed_by: str = _CLIENT_CHAIN) -> Mutation:
    code = f"STAGES = tuple(made for made in STAGES if made[0] != {stage!r})\n"
    return Mutation(f"calls without the {stage} stage", "runtime/client/chain.py", code, noticed_by)


def _client_swapped(first: str, second: str) -> Mutation:
    code = f"""
_by_name = dict(STAGES)
_places = {{{first!r}: {second!r}, {second!r}: {first!r}}}
STAGES = tuple((_places.get(name, name), _by_name[_places.get(name, name)]) for name, _ in STAGES)
"""
    return Mutation(f"calls with {second} before {first}", "runtime/client/chain.py", code, _CLIENT_CHAIN)


CLIENT_MUTATIONS = (
    _client_without("metrics"),
    _client_without("attempt_metrics"),
    _client_without("fallback", "test_where_the_dependency_fails_its_fallback_answers"),
    _client_without("fallback", "test_while_the_breaker_is_open_its_fallback_answers_and_not_before"),
    _client_without("rate_limit", "test_no_more_attempts_go_out_than_the_rate_limit_has_permits_for"),
    _client_without("fault_injection", "test_each_fault_of_a_dependency_hits_calls_to_it"),
    _client_swapped("fallback", "total_timeout"),
    _client_swapped("retry", "rate_limit"),
    _client_swapped("rate_limit", "circuit_breaker"),
    _client_swapped("circuit_breaker", "bulkhead"),
    _client_swapped("attempt_timeout", "fault_injection"),
    _passing(
        "rate_limit", "RateLimiting", "test_no_more_attempts_go_out_than_the_rate_limit_has_permits_for", "client"
    ),
    _passing("fault_injection", "FaultInjection", "test_each_fault_of_a_dependency_hits_calls_to_it", "client"),
    Mutation(
        "attempts that wait for no permit",
        "runtime/line.py",
        "_admit = Lines.admit\nLines.admit = lambda self, key, patience: _admit(self, key, 0.0)\n",
        "test_an_attempt_waits_for_its_permit",
    ),
    Mutation(
        "fallbacks that hide what the request is to blame for",
        "runtime/client/fallback.py",
        "is_failure = lambda error: True\n",
        "test_where_the_dependency_fails_its_fallback_answers",
    ),
    Mutation(
        "faults of dependencies in every environment",
        "runtime/server.py",
        "Server._inject_faults = lambda self: True\n",
        "test_faults_of_dependencies_are_injected_in_the_named_environments_alone",
    ),
    _passing("total_timeout", "TotalTimeout", "test_the_deadline_goes_onward", "client"),
    _passing("attempt_timeout", "Adaptive", "test_the_deadline_goes_onward", "client"),
    _passing("retry", "Retry", "test_a_call_that_keeps_failing_is_made_as_often_as_declared", "client"),
    _passing(
        "hedging",
        "Hedging",
        "test_a_slow_attempt_gets_another_beside_it_and_is_cancelled_when_that_answers",
        "client",
    ),
    _passing(
        "circuit_breaker",
        "CircuitBreaker",
        "test_the_breaker_opens_when_declared_and_closes_once_calls_go_well_again",
        "client",
    ),
    _passing("bulkhead", "Bulkhead", "test_no_more_calls_run_at_once_than_declared", "client"),
    Mutation(
        "a criticality that callers may not say",
        "runtime/stages/context.py",
        "less_critical = lambda declared, asked: declared\n",
        "test_request_id_trace_and_the_named_metadata_go_onward",
    ),
    Mutation(
        "errors of a dependency that all look alike",
        "runtime/client/attempt.py",
        "class_of = lambda errors, domain, reason: DependencyError\n",
        "test_a_declared_error_is_caught_by_its_class_and_no_other_is",
    ),
    Mutation(
        "errors that any domain may answer with",
        "gen/clients/inventory_errors.py",
        "from dataclasses import replace\n\nOutOfStock.peer_row = replace(OutOfStock.peer_row, domain='elsewhere')\n"
        "ERRORS = (Recounting, OutOfStock)\n",
        "test_a_declared_error_is_caught_by_its_class_and_no_other_is",
    ),
    Mutation(
        "a call that waits for a connection without end",
        "runtime/client/grpc_transport.py",
        """
_connected = GrpcTransport._connected
GrpcTransport._connected = lambda self, channel, seconds, outgoing: _connected(self, channel, 1e6, outgoing)
""",
        "test_a_call_waits_for_a_connection_as_long_as_declared",
    ),
    Mutation(
        "a breaker that never closes",
        "runtime/policies/breaker.py",
        "Breaker.success = lambda self, permit, now, took: None\n",
        "test_the_breaker_opens_when_declared_and_closes_once_calls_go_well_again",
    ),
    Mutation(
        "retries of whatever fails",
        "runtime/client/retry.py",
        "Retry._may = lambda self, outgoing, error: outgoing.attempt < self._policy.max_attempts\n",
        "test_a_call_that_keeps_failing_is_made_as_often_as_declared",
    ),
    # The same over HTTP, where it is done in another way.
    Mutation(
        "requests over HTTP that do not say how long they may take",
        "runtime/client/http_transport.py",
        "_said = _headers\n"
        "_headers = lambda *given: [pair for pair in _said(*given) if pair[0] != 'grpc-timeout']\n",
        "test_the_deadline_goes_onward",
    ),
    Mutation(
        "requests over HTTP that hand nothing on",
        "runtime/client/http_client.py",
        "metadata_onward = lambda propagate, given: tuple(given)\n",
        "test_request_id_trace_and_the_named_metadata_go_onward",
    ),
    Mutation(
        "errors over HTTP without their reasons",
        "runtime/client/http_response.py",
        "_status = lambda content: Status()\n",
        "test_what_a_dependency_says_reaches_the_handler_and_never_the_caller",
    ),
    Mutation(
        "one policy for all requests over HTTP",
        "runtime/client/http_client.py",
        "_made = HttpClient.__init__\n\n\n"
        "def _forgetting(self, connection=None):\n"
        "    _made(self, connection)\n"
        "    self._operations = {}\n\n\n"
        "HttpClient.__init__ = _forgetting\n",
        "test_a_slow_attempt_gets_another_beside_it_and_is_cancelled_when_that_answers",
    ),
    Mutation(
        "requests over HTTP that may all be repeated",
        "runtime/client/http_request.py",
        "IDEMPOTENT = frozenset(VERBS)\n",
        _CLIENT_CHAIN,
    ),
)
