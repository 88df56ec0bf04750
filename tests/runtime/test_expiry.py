"""Tasks are cancelled at their deadlines, each at its own, whatever order they came in; one that ended is left alone."""

import asyncio
from collections.abc import Iterator

import pytest
from runtime.expiry import Expiries, Expiry


class ByHand(asyncio.SelectorEventLoop):
    """A loop whose time stands still until it is told."""

    now = 100.0

    def time(self) -> float:
        return self.now

    def go_to(self, now: float) -> None:
        self.now = now
        self.call_soon(self.stop)
        self.run_forever()


@pytest.fixture
def loop() -> Iterator[ByHand]:
    loop = ByHand()
    yield loop
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.go_to(loop.now)
    loop.close()


def waiting(loop: ByHand) -> asyncio.Task[None]:
    async def wait() -> None:
        await asyncio.Event().wait()

    return loop.create_task(wait())


def begun(expiries: Expiries, loop: ByHand, *deadlines: float) -> list[Expiry]:
    return [expiries.begin(loop, waiting(loop), deadline) for deadline in deadlines]


def passed(found: list[Expiry]) -> list[bool]:
    return [expiry.passed for expiry in found]


@pytest.mark.parametrize("deadlines", [(101.0, 102.0, 103.0), (103.0, 102.0, 101.0), (102.0, 103.0, 101.0)])
def test_each_task_is_cancelled_at_its_own_deadline(loop: ByHand, deadlines: tuple[float, ...]) -> None:
    found = begun(Expiries(), loop, *deadlines)
    for now in (100.999, 101.001, 102.001, 103.001):
        loop.go_to(now)
        assert passed(found) == [deadline <= now for deadline in deadlines]
        assert [expiry.task.cancelling() > 0 for expiry in found] == passed(found)


def test_deadlines_of_one_millisecond_expire_together(loop: ByHand) -> None:
    found = begun(Expiries(), loop, 101.0001, 101.0005, 101.0009)
    loop.go_to(101.001)
    assert passed(found) == [True, True, True]


def test_what_has_ended_is_not_cancelled(loop: ByHand) -> None:
    expiries = Expiries()
    first, second, third = begun(expiries, loop, 101.0, 101.0, 102.0)
    expiries.end(first)
    loop.go_to(101.001)
    expiries.end(second)
    expiries.end(third)
    loop.go_to(110.0)
    assert passed([first, second, third]) == [False, True, False]


def test_calls_that_follow_each_other_share_a_timer(loop: ByHand, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[float] = []
    call_at = loop.call_at

    def counted(when: float, *arguments: object, **options: object) -> asyncio.TimerHandle:
        made.append(when)
        return call_at(when, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "call_at", counted)
    expiries = Expiries()
    for number in range(1000):
        expiries.end(*begun(expiries, loop, 110.0 + number / 500))
    assert len(made) == 1


def test_the_deadlines_of_a_loop_that_is_gone_are_forgotten(loop: ByHand) -> None:
    expiries, other = Expiries(), ByHand()
    begun(expiries, other, 101.0)
    (expiry,) = begun(expiries, loop, 105.0)
    loop.go_to(106.0)
    assert expiry.passed
    for left in asyncio.all_tasks(other):
        left.cancel()
    other.go_to(100.0)
    other.close()
