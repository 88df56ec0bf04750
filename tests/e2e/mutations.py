"""How the service of an emitted project is broken, and which contract test notices."""

from __future__ import annotations

from tests.e2e.mutation import Mutation, passing, swapped, without

MUTATIONS = (
    without("boundary", "test_every_row_of_the_error_table_reaches_the_caller_whole"),
    without("context", "test_the_callers_request_id_is_kept"),
    without("context", "test_the_answer_says_the_request_id"),
    without("context", "test_a_failure_says_the_request_id_that_the_call_was_given"),
    without("context", "test_the_declared_deadline_holds"),
    without("metrics", "test_calls_are_measured_by_method_and_outcome"),
    passing("metrics", "Metrics", "test_calls_are_measured_by_method_and_outcome"),
    without("access_log", "test_each_call_leaves_one_line"),
    passing("access_log", "AccessLog", "test_each_call_leaves_one_line"),
    swapped("boundary", "context"),
    swapped("context", "metrics"),
    swapped("metrics", "access_log"),
    swapped("drain_gate", "deadline"),
    swapped("deadline", "error_mapper"),
    without("drain_gate", "test_a_call_that_comes_over_an_open_connection_is_told_when_to_come_again"),
    without("authentication", "test_who_shows_no_token_is_refused"),
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
    without("authorization", "test_what_no_rule_is_about_nobody_may_call"),
    passing("authorization", "Authorization", "test_what_the_rule_asks_for_is_enough_and_anything_less_is_not"),
    Mutation(
        "health and reflection for everybody",
        "runtime/stages/admission.py",
        "admissions = lambda environment: {}\n",
        "test_health_and_reflection_are_for_whom_the_spec_says",
    ),
    swapped("authentication", "authorization"),
    without("fault_injection", "test_each_fault_hits_the_calls_it_is_for_where_it_is_allowed"),
    Mutation(
        "faults in every environment",
        "runtime/server.py",
        "Server._inject_faults = lambda self: True\n",
        "test_no_fault_is_injected_anywhere_else",
    ),
    without("rate_limit", "test_as_many_calls_are_admitted_as_declared_and_not_one_more"),
    passing("rate_limit", "RateLimiting", "test_as_many_calls_are_admitted_as_declared_and_not_one_more"),
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
    without("idempotency", "test_duplicates_run_once"),
    passing("idempotency", "Idempotency", "test_the_second_caller_gets_the_answer_of_the_first"),
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
    swapped("drain_gate", "rate_limit"),
    swapped("rate_limit", "idempotency"),
    swapped("idempotency", "deadline"),
    without("validation", "test_a_request_without_a_required_field_is_refused_and_the_field_named"),
    passing("validation", "Validation", "test_a_request_without_a_required_field_is_refused_and_the_field_named"),
    swapped("validation", "concurrency_limit"),
    swapped("fault_injection", "load_shedding"),
    swapped("load_shedding", "authentication"),
    swapped("health_score", "deadline"),
    without("deadline", "test_a_call_that_outlives_the_default_deadline_is_stopped"),
    without("deadline", "test_a_call_with_too_little_time_left_never_reaches_the_handler"),
    without("load_shedding", "test_sheddable_work_is_refused_from_the_declared_lag_on_until_it_has_cooled_off"),
    without("concurrency_limit", "test_as_many_calls_run_at_once_as_declared_and_not_one_more"),
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
    without("fallback", "test_a_failure_is_answered_by_the_declared_fallback"),
    without("fallback", "test_a_breakers_fallback_answers_while_it_is_open_and_not_before"),
    without("circuit_breaker", "test_it_opens_at_the_declared_failures_and_closes_again"),
    Mutation(
        "a breaker that counts what is the caller's doing",
        "runtime/stages/circuit_breaker.py",
        "def is_failure(error, table):\n    return True\n",
        "test_what_is_the_callers_own_doing_does_not_open_it",
    ),
    without("health_score", "test_a_degraded_service_refuses_sheddable_work_until_it_is_well_again"),
    without("streaming", "test_a_stream_without_messages_is_ended_after_the_declared_time"),
    without("streaming", "test_a_stream_that_lasts_longer_than_declared_is_ended"),
    without("streaming", "test_a_message_may_have_as_many_bytes_as_allowed_and_not_one_more"),
    swapped("fallback", "circuit_breaker"),
    swapped("concurrency_limit", "fallback"),
    without("error_mapper", "test_an_exception_of_no_table_is_answered_without_its_text"),
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
