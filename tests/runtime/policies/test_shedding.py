"""The shedder: the least critical work first, more while overload goes on, and nothing once it is over."""

from __future__ import annotations

from random import Random

import pytest
from runtime.policies.criticality import LEVELS, RANKS
from runtime.policies.shedding import Shedder


def shedder(cool_off: float = 1.0) -> Shedder:
    return Shedder(0.1, 90.0, cool_off, Random(1))


def shares(made: Shedder) -> list[float]:
    """The share of each level that is refused, the most critical first."""
    return [sum(made.sheds(RANKS[level]) for _ in range(1000)) / 1000 for level in LEVELS]


@pytest.mark.parametrize(("lag", "cpu"), [(0.1, 0.0), (0.0, 90.0), (5.0, 100.0)])
def test_the_first_sign_of_overload_sheds_what_is_sheddable_and_nothing_else(lag: float, cpu: float) -> None:
    made = shedder()
    made.observe(0.0, 0.099, 89.9)
    assert shares(made) == [0, 0, 0, 0]
    made.observe(0.1, lag, cpu)
    assert shares(made) == [0, 0, 0, 1]


def test_more_is_shed_for_as_long_as_it_goes_on_the_most_critical_last() -> None:
    made = shedder()
    seen = []
    for sign in range(60):
        made.observe(sign * 0.1, 0.2, 0.0)
        seen.append(shares(made))
    for row in seen:
        assert row == sorted(row)
        assert sum(0 < share < 1 for share in row) <= 1, "one level at a time is thinned out"
    assert seen[5][2] == pytest.approx(0.5, abs=0.1)
    assert seen[10][:2] == [0, 0]
    assert seen[-1] == [1, 1, 1, 1]


def test_shedding_ends_the_cool_off_after_the_last_sign() -> None:
    made = shedder(cool_off=2.0)
    made.observe(0.0, 0.2, 0.0)
    made.observe(1.9, 0.0, 0.0)
    assert shares(made) == [0, 0, 0, 1]
    made.observe(2.0, 0.0, 0.0)
    assert shares(made) == [0, 0, 0, 0]


def test_what_is_shed_beyond_sheddable_work_comes_back_little_by_little() -> None:
    made = shedder(cool_off=1.0)
    for sign in range(30):
        made.observe(sign * 0.1, 0.2, 0.0)
    levels = []
    for sign in range(30, 40):
        made.observe(sign * 0.1, 0.0, 0.0)
        levels.append(made.level)
    assert levels == sorted(levels, reverse=True)
    assert all(level >= 1 for level in levels[:-1])
    assert levels[-1] == 0


def test_no_cool_off_ends_it_with_the_next_look() -> None:
    made = shedder(cool_off=0.0)
    made.observe(0.0, 0.2, 0.0)
    made.observe(0.1, 0.0, 0.0)
    assert made.level == 0
