"""A document from an HTTP address, with limits: the blocking work of a key set's refresh, done in a thread."""

from __future__ import annotations

import time
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

SECONDS: Final = 5.0
"""The longest that a fetch takes, whatever the other side does."""

_MAX_BYTES: Final = 1 << 20
_CHUNK: Final = 64 << 10


class FetchError(OSError):
    """The document could not be had; the message says why, with no secret in it."""


def fetch(url: str) -> bytes:
    """The document at an `http` or `https` address; a proxy that the environment names is used.

    Redirects are not followed: keys come from the address that the spec names, not from where that may point some
    day. Raises FetchError.
    """
    opener = OpenerDirector()
    handlers: tuple[Any, ...] = (ProxyHandler(), HTTPHandler(), HTTPSHandler(), HTTPErrorProcessor())
    for handler in (*handlers, HTTPDefaultErrorHandler()):
        opener.add_handler(handler)
    until = time.monotonic() + SECONDS
    try:
        request = Request(url, headers={"Accept": "application/json"})  # noqa: S310 - the opener knows HTTP alone
        with opener.open(request, timeout=SECONDS) as response:
            return _read(response, until)
    except HTTPError as error:
        raise FetchError(f"HTTP {error.code}") from None
    except OSError as error:
        raise FetchError(str(getattr(error, "reason", error) or type(error).__name__)) from None
    except Exception as error:  # noqa: BLE001 - http.client raises of its own what a server may send
        raise FetchError(type(error).__name__) from None


def _read(response: Any, until: float) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while piece := response.read1(_CHUNK):
        pieces.append(piece)
        size += len(piece)
        if size > _MAX_BYTES:
            raise FetchError(f"the answer is longer than {_MAX_BYTES} bytes")
        if time.monotonic() > until:
            raise FetchError(f"the answer took longer than {SECONDS:g} s")
    return b"".join(pieces)
