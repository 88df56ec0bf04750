"""A caller that does not read what it has asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from .client import Client, start
from .entries import Entry
from .rest_request import rest_request


@asynccontextmanager
async def unread(client: Client, entry: Entry) -> AsyncIterator[Callable[[], Awaitable[object]]]:
    """A call of a response stream, with the sample requests, left in the middle at the end.

    Nothing of it is read, but for a part each time that what this yields is called.
    """
    authorization = client.authorization(entry.method)
    if entry.route is None:
        call = start(client.channel, entry.method, entry.requests(), metadata=authorization)
        yield call.read
        call.cancel()
    elif entry.over_web_socket:
        async with client.web_socket(entry.route, entry.requests()[0]) as socket:
            yield socket.recv
            socket.transport.abort()
    else:
        asked = rest_request(entry.route, entry.requests())
        headers = [(name, str(value)) for name, value in authorization]
        if asked.content_type:
            headers.append(("content-type", asked.content_type))
        request = client.http.build_request(
            asked.verb, client.addresses.rest + asked.target, content=asked.body, headers=headers
        )
        response = await client.http.send(request, stream=True)
        yield aiter(response.aiter_raw()).__anext__
        await response.aclose()
