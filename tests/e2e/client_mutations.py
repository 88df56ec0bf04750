"""How the calls to dependencies of an emitted project are broken, and which contract test notices."""

from __future__ import annotations

from tests.e2e.mutation import CLIENT_CHAIN, Mutation, client_swapped, client_without, passing

CLIENT_MUTATIONS = (
    client_without("metrics"),
    client_without("attempt_metrics"),
    client_without("fallback", "test_where_the_dependency_fails_its_fallback_answers"),
    client_without("fallback", "test_while_the_breaker_is_open_its_fallback_answers_and_not_before"),
    client_without("rate_limit", "test_no_more_attempts_go_out_than_the_rate_limit_has_permits_for"),
    client_without("fault_injection", "test_each_fault_of_a_dependency_hits_calls_to_it"),
    client_swapped("fallback", "total_timeout"),
    client_swapped("retry", "rate_limit"),
    client_swapped("rate_limit", "circuit_breaker"),
    client_swapped("circuit_breaker", "bulkhead"),
    client_swapped("attempt_timeout", "fault_injection"),
    passing("rate_limit", "RateLimiting", "test_no_more_attempts_go_out_than_the_rate_limit_has_permits_for", "client"),
    passing("fault_injection", "FaultInjection", "test_each_fault_of_a_dependency_hits_calls_to_it", "client"),
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
    passing("total_timeout", "TotalTimeout", "test_the_deadline_goes_onward", "client"),
    passing("attempt_timeout", "Adaptive", "test_the_deadline_goes_onward", "client"),
    passing("retry", "Retry", "test_a_call_that_keeps_failing_is_made_as_often_as_declared", "client"),
    passing(
        "hedging",
        "Hedging",
        "test_a_slow_attempt_gets_another_beside_it_and_is_cancelled_when_that_answers",
        "client",
    ),
    passing(
        "circuit_breaker",
        "CircuitBreaker",
        "test_the_breaker_opens_when_declared_and_closes_once_calls_go_well_again",
        "client",
    ),
    passing("bulkhead", "Bulkhead", "test_no_more_calls_run_at_once_than_declared", "client"),
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
        CLIENT_CHAIN,
    ),
)


# The same where all calls go over HTTP, in a project whose only other dependency is plain: no test of gRPC can stand in.
HTTP_MUTATIONS = (
    Mutation(
        "whoever answers is trusted",
        "runtime/client/channel.py",
        "from ..watched_files import WatchedFiles\n\nWatchedFiles.current = lambda files: files._material\n",
        "test_a_dependency_that_nobody_vouches_for_is_not_called",
    ),
    Mutation(
        "connections to dependencies that are plain",
        "runtime/client/channel.py",
        "_encrypted = channels\nchannels = lambda target, policy, tls, files, clock: _encrypted(target, policy, tls, None, clock)\n",
        "test_the_deadline_goes_onward",
    ),
    client_without("fallback", "test_where_the_dependency_fails_its_fallback_answers"),
    client_without("total_timeout"),
    client_without("idempotency_key", "test_a_call_that_keeps_failing_is_made_as_often_as_declared"),
    client_without("hedging", "test_a_slow_attempt_gets_another_beside_it_and_is_cancelled_when_that_answers"),
    client_without("retry", "test_a_call_that_keeps_failing_is_made_as_often_as_declared"),
    client_without("rate_limit", "test_each_caller_has_permits_of_its_own"),
    client_without("circuit_breaker", "test_the_breaker_opens_when_declared_and_closes_once_calls_go_well_again"),
    client_without("bulkhead", "test_no_more_calls_run_at_once_than_declared"),
    client_without("attempt_timeout", "test_the_deadline_goes_onward"),
    client_without("fault_injection", "test_each_fault_of_a_dependency_hits_calls_to_it"),
    Mutation(
        "one limit for all whom calls are made for",
        "runtime/client/rate_limit.py",
        "Keys.current = lambda keys: 'all'\n",
        "test_each_caller_has_permits_of_its_own",
    ),
    Mutation(
        "calls that are made for nobody",
        "runtime/client/rate_limit.py",
        "_by = Keys.by\nKeys.by = lambda policy: replace(_by(policy), required=False) if policy else None\n",
        "test_without_a_key_there_is_no_call_where_one_is_asked_for",
    ),
    Mutation(
        "answers over HTTP that nobody keeps",
        "runtime/client/http_fallback.py",
        "HttpCache.learn = lambda cache, key, response: None\n",
        "test_where_the_dependency_fails_its_fallback_answers",
    ),
    Mutation(
        "answers over HTTP that are never too old",
        "runtime/policies/response_cache.py",
        "_get = ResponseCache.get\nResponseCache.get = lambda cache, key, now: _get(cache, key, 0.0)\n",
        "test_a_dependencys_response_is_not_given_again_once_it_is_too_old",
    ),
    Mutation(
        "methods of the user's that nobody asks",
        "runtime/client/fallback.py",
        "_own_method = lambda *_: None\n",
        "test_where_the_dependency_fails_its_fallback_answers",
    ),
    Mutation(
        "a value that answers for an open breaker, and is another",
        "runtime/client/http_fallback.py",
        "_static = HttpStatic.__init__\nHttpStatic.__init__ = lambda self, value, name: _static(self, '7', name)\n",
        "test_while_the_breaker_is_open_its_fallback_answers_and_not_before",
    ),
    Mutation(
        "a request that waits for a connection without end",
        "runtime/client/connecting.py",
        "Connecting.begin = lambda connecting: None\n",
        "test_a_call_waits_for_a_connection_as_long_as_declared",
    ),
    Mutation(
        "HTTP with whoever answers",
        "runtime/client/tls.py",
        "_known = _context\n\n\n"
        "def _context(section, policy):\n"
        "    context = _known(section, policy)\n"
        "    context.check_hostname = False\n"
        "    context.verify_mode = ssl.CERT_NONE\n"
        "    return context\n",
        "test_a_dependency_that_nobody_vouches_for_is_not_called",
    ),
    Mutation(
        "errors over HTTP that all look alike",
        "runtime/client/http_response.py",
        "class_of = lambda errors, domain, reason: DependencyError\n",
        "test_a_declared_error_is_caught_by_its_class_and_no_other_is",
    ),
)
