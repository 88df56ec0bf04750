"""When a store counts as gone, and who may look whether it is back."""

from __future__ import annotations

from runtime.policies.outage import FAILURES, PAUSE, Outage


def gone(now: float) -> Outage:
    outage = Outage()
    assert [outage.failed(now) for _ in range(FAILURES)] == [False] * (FAILURES - 1) + [True]
    return outage


def test_a_store_that_answers_in_between_is_not_gone() -> None:
    outage = Outage()
    for _ in range(3 * FAILURES):
        outage.failed(0.0)
        assert outage.may_ask(0.0)
        assert not outage.answered()


def test_a_store_that_is_gone_is_asked_once_a_pause() -> None:
    outage = gone(now=10.0)
    assert [outage.may_ask(now) for now in (10.0, 10.0 + PAUSE, 10.0 + PAUSE, 10.0 + 2 * PAUSE)] == [
        False,
        True,
        False,
        True,
    ]


def test_one_answer_ends_the_outage() -> None:
    outage = gone(now=10.0)
    assert outage.answered()
    assert not outage.lasts
    assert outage.may_ask(10.0)
