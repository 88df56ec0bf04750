"""Health: states, watchers, and the end of both."""

from __future__ import annotations

import asyncio

import pytest
from runtime.health import Health, Report


def test_nothing_serves_before_the_start() -> None:
    health = Health(["a.Service"])
    assert health.status("a.Service") is False
    assert health.status("") is False
    assert health.ready is False


def test_every_service_and_the_server_serve_after_the_start() -> None:
    health = Health(["a.Service"])
    health.serve()
    assert (health.status("a.Service"), health.status(""), health.ready) == (True, True, True)


def test_a_service_that_is_not_here_has_no_status() -> None:
    assert Health(["a.Service"]).status("b.Service") is None


def test_a_terminating_server_serves_nothing_and_stays_so() -> None:
    health = Health(["a.Service"])
    health.serve()
    health.terminate()
    health.set("a.Service", True)
    assert (health.status("a.Service"), health.ready) == (False, False)


def test_one_service_can_be_taken_out() -> None:
    health = Health(["a.Service", "b.Service"])
    health.serve()
    health.set("a.Service", False)
    assert health.report() == Report("serving", True, {"a.Service": False, "b.Service": True})


def test_setting_a_service_that_is_not_here_is_an_error() -> None:
    with pytest.raises(KeyError):
        Health([]).set("a.Service", True)


async def test_a_watcher_sees_each_change_once_and_ends_with_the_server() -> None:
    health = Health(["a.Service"])
    watch = health.watch("a.Service")
    assert await anext(watch) is False
    pending = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0)
    assert not pending.done()
    health.serve()
    assert await pending is True
    health.set("a.Service", False)
    assert await anext(watch) is False
    health.close()
    assert [state async for state in watch] == []


async def test_a_slow_watcher_misses_states_but_never_the_last() -> None:
    health = Health(["a.Service"])
    watch = health.watch("a.Service")
    await anext(watch)
    health.serve()
    health.terminate()
    health.close()
    assert [state async for state in watch] == []
    assert health.status("a.Service") is False


async def test_a_watch_of_an_unknown_service_waits_and_ends_with_the_server() -> None:
    health = Health([])
    watch = health.watch("b.Service")
    assert await anext(watch) is None
    pending = asyncio.ensure_future(anext(watch, "ended"))
    await asyncio.sleep(0)
    health.close()
    assert await pending == "ended"
