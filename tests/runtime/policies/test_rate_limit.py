"""Rate limits against a token bucket in exact fractions, and a list of every call that was ever admitted."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from runtime.policies.gcra import Gcra
from runtime.policies.quota import Quota
from runtime.policies.rate_limit import Charges, RateLimit
from runtime.policies.sliding_window import SlidingWindow

from tests.runtime.policies.models import compared

TICK = Fraction(1, 64)  # seconds; floats hold its multiples exactly
RATES = (0.25, 1.0, 4.0, 32.0)


class Bucket:
    """Tokens that drip in at a rate, up to a capacity."""

    def __init__(self, rate: float, burst: int) -> None:
        self.rate, self.burst = Fraction(rate), burst
        self.tokens = Fraction(burst)
        self.seen = Fraction(0)

    def at(self, now: Fraction) -> None:
        self.tokens = min(Fraction(self.burst), self.tokens + (now - self.seen) * self.rate)
        self.seen = now

    @property
    def quota(self) -> tuple[int, Fraction]:
        whole = int(self.tokens)
        return whole, (whole + 1 - self.tokens) / self.rate


class RateLimitModel(RuleBasedStateMachine):
    """Time passes in ticks; calls are admitted by both, or by neither."""

    def __init__(self) -> None:
        super().__init__()
        self.now = Fraction(1000)
        self.charges = Charges()
        self.log: list[Fraction] = []

    @initialize(
        rate=st.none() | st.tuples(st.sampled_from(RATES), st.integers(1, 6)),
        window=st.tuples(st.integers(1, 6), st.integers(1, 640)),
        counted=st.booleans(),
    )
    def set_limit(self, rate: tuple[float, int] | None, window: tuple[int, int], counted: bool) -> None:
        self.bucket = Bucket(*rate) if rate else None
        self.window = (window[0], window[1] * TICK) if counted or not rate else None
        self.limit = RateLimit(
            Gcra(*rate) if rate else None,
            SlidingWindow(self.window[0], float(self.window[1])) if self.window else None,
        )
        if self.bucket:
            self.bucket.at(self.now)

    @rule(ticks=st.integers(0, 400))
    def pass_time(self, ticks: int) -> None:
        self.now += ticks * TICK

    @rule()
    def call(self) -> None:
        verdict = self.limit.admit(self.charges, float(self.now))
        assert verdict.admitted is self.admitted_by_model()
        assert [self.shown(quota) for quota in (verdict.rate, verdict.window)] == self.left_in_model()
        if verdict.admitted:
            assert verdict.wait >= 0.0
        else:
            self.waited = verdict.wait

    @precondition(lambda self: getattr(self, "waited", 0.0) > 0.0)
    @rule()
    def call_again_when_told(self) -> None:
        """Who waits as long as it was told is admitted, unless another call came before."""
        verdict = self.limit.admit(self.charges, float(self.now))
        if verdict.admitted:
            assert self.admitted_by_model()
            return
        self.now += Fraction(verdict.wait).limit_denominator(1 << 20)
        assert self.limit.admit(self.charges, float(self.now)).admitted
        assert self.admitted_by_model()
        self.waited = 0.0

    def admitted_by_model(self) -> bool:
        if self.bucket:
            self.bucket.at(self.now)
            if self.bucket.tokens < 1:
                return False
        if self.window and len(self.in_window()) >= self.window[0]:
            return False
        if self.bucket:
            self.bucket.tokens -= 1
        self.log.append(self.now)
        return True

    def in_window(self) -> list[Fraction]:
        assert self.window
        return [time for time in self.log if time > self.now - self.window[1]]

    def left_in_model(self) -> list[tuple[int, float] | None]:
        rate = window = None
        if self.bucket:
            remaining, wait = self.bucket.quota
            rate = (remaining, float(wait))
        if self.window:
            inside = self.in_window()
            wait = inside[0] + self.window[1] - self.now if inside else Fraction(0)
            window = (self.window[0] - len(inside), float(wait))
        return [rate, window]

    @staticmethod
    def shown(quota: Quota | None) -> tuple[int, float] | None:
        return None if quota is None else (quota.remaining, pytest.approx(quota.wait, abs=1e-9))


TestRateLimit = RateLimitModel.TestCase
TestRateLimit.settings = compared()


@pytest.mark.parametrize("rate", [0.01, 3.0, 1200.0, 9999.0])
@pytest.mark.parametrize("burst", [2, 7, 300])
def test_a_stretch_of_time_has_as_many_calls_as_burst_and_rate_allow(rate: float, burst: int) -> None:
    limit, charges = RateLimit(Gcra(rate, burst), None), Charges()
    start, now, admitted = 123456.789, 123456.789, 0
    for step in range(4000):
        admitted += limit.admit(charges, now).admitted
        now = start + step * 0.173 / rate
    assert burst + (now - start) * rate == pytest.approx(admitted, abs=1.1)


@pytest.mark.parametrize(
    "limit", [RateLimit(Gcra(1200.0, 300), None), RateLimit(None, SlidingWindow(7, 0.3)), RateLimit(Gcra(3.0, 1), None)]
)
def test_the_wait_of_a_refused_call_is_never_short_of_the_next_permit(limit: RateLimit) -> None:
    charges, now = Charges(), 9876543.21
    for _ in range(5000):
        verdict = limit.admit(charges, now)
        if not verdict.admitted:
            now += verdict.wait
            assert limit.admit(charges, now).admitted


def test_a_call_that_one_of_two_limits_refuses_is_charged_in_neither() -> None:
    limit, charges = RateLimit(Gcra(1.0, 5), SlidingWindow(2, 60.0)), Charges()
    assert [limit.admit(charges, 100.0).admitted for _ in range(4)] == [True, True, False, False]
    verdict = limit.admit(charges, 100.0)
    assert verdict.rate is not None
    assert verdict.rate.remaining == 3
    assert verdict.wait == pytest.approx(60.0)


@pytest.mark.parametrize(
    ("limit", "ahead", "expected"),
    [
        (RateLimit(Gcra(10.0, 5), None), 4, 0.9),
        (RateLimit(Gcra(10.0, 5), SlidingWindow(2, 60.0)), 4, 0.9),
        (RateLimit(None, SlidingWindow(2, 60.0)), 4, 120.5),
    ],
)
def test_those_ahead_in_the_line_are_waited_for(limit: RateLimit, ahead: int, expected: float) -> None:
    assert limit.wait_behind(0.5, ahead) == pytest.approx(expected)


@pytest.mark.parametrize(("first", "per", "then"), [(434.873, 70.34, 504.03), (74.772, 52.87, 101.255)])
def test_a_window_lets_in_who_came_when_told_although_floats_do_not_add_up(
    first: float, per: float, then: float
) -> None:
    limit, charges = RateLimit(None, SlidingWindow(1, per)), Charges()
    limit.admit(charges, first)
    wait = limit.admit(charges, then).wait
    assert then + wait - per < first
    assert limit.admit(charges, then + wait).admitted
