"""gzip (RFC 1952), both ways: request bodies unpacked within a limit, answers packed where that is worth it."""

from __future__ import annotations

import asyncio
import gzip
import zlib

from .accept import weights
from .faults import invalid, too_large

LEAST = 1 << 10  # bytes of an answer below which packing gains nothing
_THREADED = 64 << 10  # bytes that take half a millisecond, which is long for everybody else on the loop
_LEVEL = 5
_GZIP = 16 + zlib.MAX_WBITS


def unpacked(body: bytes, limit: int) -> bytes:
    """The body decompressed, as far as `limit` bytes. Raises ServiceError (400, 413)."""
    inflater = zlib.decompressobj(_GZIP)
    try:
        plain = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise invalid("", "is not valid gzip") from error
    if len(plain) > limit:
        raise too_large(limit)
    if not inflater.eof or inflater.unused_data:
        raise invalid("", "is not valid gzip")
    return plain


async def packed(body: bytes) -> bytes:
    """The body compressed; the same bytes for the same body."""
    if len(body) < _THREADED:
        return gzip.compress(body, _LEVEL, mtime=0)
    return await asyncio.to_thread(gzip.compress, body, _LEVEL, mtime=0)


def takes_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header prefers gzip to nothing (RFC 9110, section 12.5.3)."""
    given = dict(weights(accept_encoding))
    weight = max(given.get("gzip", given.get("*", 0.0)), given.get("x-gzip", 0.0))
    return weight > 0 and weight >= given.get("identity", 0.0)
