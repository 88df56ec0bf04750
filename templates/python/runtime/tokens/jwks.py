"""An issuer's keys, kept: fetched when first needed, renewed in the background, served stale while it is down."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Final

from jwt import PyJWK

from .fetching import FetchError, fetch
from .keys import KeySet, KeySetError
from .refusals import IssuerUnavailableError

RENEW_AFTER: Final = 300.0
"""Seconds after which keys are fetched again, while calls go on with those at hand."""

RETRY_AFTER: Final = 10.0
"""Seconds between two fetches, at least: what tokens with invented key ids can make of an issuer's load."""

STALE_FOR: Final = 86400.0
"""Seconds that keys are used for while the issuer does not answer; a key withdrawn meanwhile is not known to be."""

Fetch = Callable[[str], Awaitable[bytes]]

_log = logging.getLogger(__name__)


async def in_thread(url: str) -> bytes:
    """Fetch in a thread of the loop's executor."""
    return await asyncio.to_thread(fetch, url)


class Jwks:
    """The key set at one address. One fetch at a time; `on_withdrawn` is called when a key is no longer in it."""

    def __init__(
        self,
        url: str,
        on_withdrawn: Callable[[], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        fetch: Fetch = in_thread,
    ) -> None:
        self._url = url
        self._on_withdrawn = on_withdrawn
        self._clock = clock
        self._fetch = fetch
        self._keys: KeySet | None = None
        self._fetched = 0.0  # when the keys came
        self._attempted: float | None = None
        self._fetching: asyncio.Task[None] | None = None

    async def key(self, kid: str, algorithm: str, within: float | None = None) -> PyJWK | None:
        """The key of that id for that algorithm, None where the issuer has none.

        An id that is not known is asked for, as keys rotate, but no sooner than RETRY_AFTER from the last time; the
        wait is at most `within` seconds. Raises IssuerUnavailableError where there are no keys to look in.
        """
        found = self._at_hand(kid, algorithm)
        if found is not None:
            if self._clock() - self._fetched > RENEW_AFTER:
                self._begin()
            return found
        fetching = self._begin()
        if fetching is not None:
            await asyncio.wait((fetching,), timeout=within)  # it goes on where this call is cancelled: others wait, too
        keys = self._usable()
        if keys is None:
            since = self._clock() - (self._attempted or 0.0)
            raise IssuerUnavailableError(max(1.0, RETRY_AFTER - since))
        return keys.find(kid, algorithm)

    async def aclose(self) -> None:
        """Abandon a fetch that is under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait((self._fetching,))

    def _at_hand(self, kid: str, algorithm: str) -> PyJWK | None:
        keys = self._usable()
        return None if keys is None else keys.find(kid, algorithm)

    def _usable(self) -> KeySet | None:
        return self._keys if self._clock() - self._fetched <= STALE_FOR else None

    def _begin(self) -> asyncio.Task[None] | None:
        """The fetch under way, a new one if it is time for one, or None."""
        if self._fetching is not None:
            return self._fetching
        now = self._clock()
        if self._attempted is not None and now - self._attempted < RETRY_AFTER:
            return None
        self._attempted = now
        self._fetching = asyncio.get_running_loop().create_task(self._renew(), context=Context())  # no call's
        return self._fetching

    async def _renew(self) -> None:
        try:
            keys = KeySet.parse(await self._fetch(self._url))
        except (FetchError, KeySetError) as error:
            age = "there are none yet" if self._keys is None else f"those at hand are {self._age():.0f} s old"
            _log.warning("the keys at %s cannot be had: %s; %s", self._url, error, age)
        else:
            withdrawn = self._keys is not None and not keys.keeps(self._keys)
            self._keys = keys
            self._fetched = self._clock()
            if withdrawn:
                self._on_withdrawn()
        finally:
            self._fetching = None

    def _age(self) -> float:
        return self._clock() - self._fetched
