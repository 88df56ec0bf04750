"""Tests of ChatService: people hear each other, the muted are not heard, and a full room stays full."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from chat.gen import errors
from chat.gen.pb.chat.v1.chat_pb2 import FollowRequest, Message, PostRequest
from chat.gen.services.chat_service import FOLLOW, IMPORT_, POST, TALK
from chat.handlers.chat_service import ChatService
from chat.rooms import SEATS
from chat.runtime.testing import direct_call

ROOM = "rooms/tea"


@pytest.fixture
def chat() -> ChatService:
    return ChatService(clients=None)


async def stream(*messages: Message) -> AsyncIterator[Message]:
    for message in messages:
        yield message


async def test_who_follows_hears_what_was_said_lately_and_what_is_said_now(chat: ChatService) -> None:
    await chat.import_(stream(Message(room=ROOM, author="ada", text="early")), direct_call(IMPORT_))
    heard = chat.follow(FollowRequest(room=ROOM), direct_call(FOLLOW))
    assert (await anext(heard)).text == "early"
    late = asyncio.ensure_future(anext(heard))
    await chat.post(PostRequest(room=ROOM, message=Message(author="bob", text="late")), direct_call(POST))
    assert (await late).author == "bob"


async def test_who_talks_hears_themselves_until_they_fall_silent(chat: ChatService) -> None:
    said = [Message(room=ROOM, author="ada", text=text) for text in ("one", "two")]
    heard = [message.text async for message in chat.talk(stream(*said), direct_call(TALK))]
    assert heard == ["one", "two"]


async def test_the_muted_are_not_heard(chat: ChatService) -> None:
    with pytest.raises(errors.Muted):
        await chat.post(PostRequest(room=ROOM, message=Message(author="troll", text="!")), direct_call(POST))
    heard = chat.talk(stream(Message(room=ROOM, author="troll", text="!")), direct_call(TALK))
    with pytest.raises(errors.Muted):
        await anext(heard)


async def test_a_full_room_takes_nobody_until_somebody_leaves(chat: ChatService) -> None:
    await chat.post(PostRequest(room=ROOM, message=Message(author="ada", text="hello")), direct_call(POST))
    seated = [chat.follow(FollowRequest(room=ROOM), direct_call(FOLLOW)) for _ in range(SEATS)]
    for listener in seated:
        await anext(listener)
    with pytest.raises(errors.RoomFull):
        await anext(chat.follow(FollowRequest(room=ROOM), direct_call(FOLLOW)))
    await seated[0].aclose()
    assert (await anext(chat.follow(FollowRequest(room=ROOM), direct_call(FOLLOW)))).text == "hello"
