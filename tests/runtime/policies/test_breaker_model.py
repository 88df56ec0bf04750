"""The circuit breaker against a model that keeps everything and computes each answer from scratch."""

from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule
from runtime.policies.breaker import Breaker, State
from runtime.snapshot import BreakerPolicy

_policies = st.builds(
    BreakerPolicy,
    failure_threshold=st.none() | st.integers(1, 5),
    failure_rate=st.none() | st.sampled_from([10.0, 50.0, 100.0]),
    slow_after=st.none() | st.just(1.0),
    slow_rate=st.sampled_from([30.0, 100.0]),
    minimum_calls=st.integers(1, 6),
    window_calls=st.integers(6, 10),
    window_seconds=st.none() | st.sampled_from([1.0, 7.0]),
    open_initial=st.sampled_from([0.5, 4.0]),
    open_max=st.sampled_from([4.0, 60.0]),
    open_multiplier=st.sampled_from([1.0, 2.0, 10.0]),
    open_jitter=st.sampled_from([0.0, 0.2]),
    half_open_calls=st.integers(1, 3),
    half_open_max_wait=st.sampled_from([0.0, 2.0]),
)
_took = st.sampled_from([0.1, 1.0, 1.5])
_retry_after = st.none() | st.sampled_from([0.0, 3.0, 20.0])


@dataclass
class _Model:
    """One state's history; a change of state makes a new one."""

    state: State
    failed_times: int = 0  # half-opens in a row that failed
    calls: list[tuple[float, bool, bool]] = field(default_factory=list)  # when, failed, slow
    out: set[int] = field(default_factory=set)  # permits of this state
    until: float = 0.0
    wait_until: float = 0.0
    heard: float = 0.0


class BreakerMachine(RuleBasedStateMachine):
    permits = Bundle("permits")

    @initialize(policy=_policies, seed=st.integers(0, 3))
    def begin(self, policy: BreakerPolicy, seed: int) -> None:
        self.policy = policy
        self.random = Random(seed)
        self.breaker = Breaker(policy, Random(seed))
        self.model = _Model(State.CLOSED)
        self.now = 1000.0
        self.given: dict[int, int] = {}  # the breaker's permit of each call
        self.next = 0

    # -- what happens --------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.01, 0.3, 1.0, 2.5, 30.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(target=permits)
    def ask(self) -> object:
        permit = self.breaker.admit(self.now)
        admitted = self._model_admits()
        assert (permit is not None) is admitted
        if permit is None:
            return multiple()
        self.next += 1
        self.given[self.next] = permit
        self.model.out.add(self.next)
        return self.next

    @rule(call=consumes(permits), took=_took)
    def succeed(self, call: int, took: float) -> None:
        self.breaker.success(self.given[call], self.now, took)
        self._ended(call, failed=False, took=took, retry_after=None)

    @rule(call=consumes(permits), took=_took, retry_after=_retry_after)
    def fail(self, call: int, took: float, retry_after: float | None) -> None:
        self.breaker.failure(self.given[call], self.now, took, retry_after)
        self._ended(call, failed=True, took=took, retry_after=retry_after)

    @rule(call=consumes(permits))
    def give_back(self, call: int) -> None:
        self.breaker.release(self.given[call])
        self.model.out.discard(call)

    @rule(call=consumes(permits), seconds=st.sampled_from([3.0, 20.0]))
    def push_back(self, call: int, seconds: float) -> None:
        self.breaker.pushback(self.given[call], self.now, seconds)
        if call in self.model.out:
            self.model.out.discard(call)
            if self.model.state is State.HALF_OPEN:
                self.model.wait_until = max(self.model.wait_until, self.now + seconds)
                self._model_opens()

    @rule(state=st.sampled_from([State.FORCED_OPEN, State.FORCED_CLOSED]))
    def force(self, state: State) -> None:
        if self.next % 16 == 0:  # seldom, as nothing is learnt while it lasts
            self.breaker.force(state)
            self.model = _Model(state)

    @rule()
    def reset(self) -> None:
        if self.next % 8 == 0:
            self.breaker.reset()
            self.model = _Model(State.CLOSED)

    # -- what must hold ------------------------------------------------------------------------------------------

    @invariant()
    def same_state(self) -> None:
        if hasattr(self, "model"):
            assert self.breaker.state is self.model.state
            if self.model.state is State.OPEN:
                assert self.breaker.retry_after(self.now) == pytest.approx(
                    max(0.0, self.model.until - self.now), abs=1e-6
                )

    # -- the model -----------------------------------------------------------------------------------------------

    def _model_admits(self) -> bool:
        model, policy = self.model, self.policy
        if model.state in (State.CLOSED, State.FORCED_CLOSED):
            return True
        if model.state is State.FORCED_OPEN:
            return False
        waiting = self.now - model.heard > policy.half_open_max_wait > 0
        if model.state is State.HALF_OPEN and model.out and waiting:
            self._model_opens()
        if self.model.state is State.OPEN and self.now >= self.model.until:
            self.model = _Model(State.HALF_OPEN, model.failed_times, wait_until=model.wait_until)
        if self.model.state is not State.HALF_OPEN:
            return False
        if len(self.model.out) + len(self.model.calls) == policy.half_open_calls:
            return False
        self.model.heard = self.now
        return True

    def _ended(self, call: int, *, failed: bool, took: float, retry_after: float | None) -> None:
        model, policy = self.model, self.policy
        if call not in model.out:
            return
        model.out.discard(call)
        if model.state not in (State.CLOSED, State.HALF_OPEN):
            return
        model.heard = self.now
        slow = policy.slow_after is not None and took > policy.slow_after
        model.calls.append((self.now, failed, slow))
        if retry_after is not None:
            model.wait_until = max(model.wait_until, self.now + retry_after)
        if model.state is State.CLOSED:
            if self._too_bad():
                self._model_opens()
        elif failed:
            self._model_opens()
        elif len(model.calls) == policy.half_open_calls:
            if policy.slow_after is not None and self._share([slow for _, _, slow in model.calls]) >= policy.slow_rate:
                self._model_opens()
            else:
                self.model = _Model(State.CLOSED)

    def _too_bad(self) -> bool:
        policy, calls = self.policy, self.model.calls
        if policy.failure_threshold is not None:
            last = calls[-policy.failure_threshold :]
            if len(last) == policy.failure_threshold and all(failed for _, failed, _ in last):
                return True
        if policy.window_seconds is None:
            window = calls[-(policy.window_calls or 0) :]
        else:
            width = policy.window_seconds / 20
            window = [call for call in calls if int(self.now / width) - int(call[0] / width) < 20]
        if len(window) < policy.minimum_calls:
            return False
        if policy.failure_rate is not None and self._share([failed for _, failed, _ in window]) >= policy.failure_rate:
            return True
        return policy.slow_after is not None and self._share([slow for *_, slow in window]) >= policy.slow_rate

    def _share(self, calls: list[bool]) -> float:
        return 100 * sum(calls) / len(calls)

    def _model_opens(self) -> None:
        policy, model = self.policy, self.model
        base = min(policy.open_max, policy.open_initial * policy.open_multiplier**model.failed_times)
        longest = min(policy.open_max, base * (1 + policy.open_jitter))
        shortest = base * (1 - policy.open_jitter)
        until = max(self.now + shortest + (longest - shortest) * self.random.random(), model.wait_until)
        self.model = _Model(State.OPEN, model.failed_times + 1, until=until, wait_until=model.wait_until)


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(stateful_step_count=100)
