"""Logs: JSON lines that carry the call's ids, hide what is to be hidden, and never block or raise."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from runtime.current import current_call
from runtime.log_format import text_line
from runtime.loggable import json_line
from runtime.logs import LineWriter, RecordFormatter

from tests.runtime.fake_call import call_of
from tests.runtime.sample_service import Note


def formatted(message: object, *arguments: object, redact: tuple[str, ...] = (), **extra: object) -> dict[str, Any]:
    record = logging.getLogger("shop").makeRecord(
        "shop", logging.INFO, "f.py", 1, message, arguments, None, extra=extra or None
    )
    fields: dict[str, Any] = json.loads(RecordFormatter(redact).format(record))
    return fields


def test_a_record_is_one_json_object() -> None:
    fields = formatted("%s of %d", "a", 3, order="o-1")
    assert fields.pop("ts").endswith("Z")
    assert fields == {"level": "INFO", "logger": "shop", "message": "a of 3", "order": "o-1"}


async def test_a_handlers_line_carries_its_calls_ids() -> None:
    call = call_of()
    call.trace_id, call.span_id, call.request_id = "t", "s", "r"
    current_call.set(call)
    fields = formatted("hello")
    assert (fields["trace_id"], fields["span_id"], fields["request_id"]) == ("t", "s", "r")
    assert fields["method"] == "/sample.v1.Sample/Echo"


def test_redacted_names_hide_their_values_at_any_depth() -> None:
    fields = formatted("m", redact=("card_number",), card_number="1", order={"lines": [{"card_number": "2"}]})
    assert fields["card_number"] == "[redacted]"
    assert fields["order"] == {"lines": [{"card_number": "[redacted]"}]}


def test_a_messages_marked_fields_are_hidden_in_extras_and_in_the_text() -> None:
    note = Note(text="a", phone="555")
    fields = formatted("got %s", note, note=note)
    assert fields["message"] == 'got {"text":"a","phone":"[redacted]"}'
    assert fields["note"] == {"text": "a", "phone": "[redacted]"}
    assert formatted(note)["message"] == '{"text":"a","phone":"[redacted]"}'
    assert formatted("%(note)s", {"note": note})["message"] == "{'text': 'a', 'phone': '[redacted]'}"


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__


@pytest.mark.parametrize("value", ["\ud800", 1 << 70, float("nan"), {1: 2}, {Hostile(): 1}, Hostile(), b"\xff", object])
def test_odd_values_make_a_line_all_the_same(value: object) -> None:
    assert formatted("m", value=value)["message"] == "m"


def test_a_value_that_contains_itself_makes_a_line() -> None:
    endless: list[object] = []
    endless.append(endless)
    assert formatted("m", value=endless)["message"] == "m"


def test_wrong_arguments_make_a_line_that_says_so() -> None:
    assert "not formatted: TypeError" in formatted("%d", "a")["message"]
    assert "not formatted" in formatted("%s", Hostile())["message"]


def test_an_exception_has_its_traceback_in_the_line() -> None:
    try:
        dict[str, str]()["a"]
    except KeyError:
        record = logging.getLogger("shop").makeRecord("shop", logging.ERROR, "f.py", 1, "m", (), sys.exc_info())
    fields = json.loads(RecordFormatter().format(record))
    assert "KeyError: 'a'" in fields["exception"]


def test_a_text_line_is_for_people_and_cannot_be_forged() -> None:
    line = text_line({"ts": "T", "level": "INFO", "message": "a\nT ERROR b", "reason": "x y", "route": None, "n": 3})
    assert line == b'T INFO    a\\nT ERROR b reason="x y" n=3\n'


def test_a_text_line_ends_with_the_traceback() -> None:
    assert text_line({"level": "ERROR", "message": "m", "exception": "Traceback\n  a\n"}).endswith(
        b"m\nTraceback\n  a\n"
    )


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    os.close(read)
    os.close(write)


def test_without_a_loop_a_line_is_written_at_once(pipe: tuple[int, int]) -> None:
    LineWriter(pipe[1]).write(b"a\n")
    assert os.read(pipe[0], 100) == b"a\n"


async def test_lines_that_follow_each_other_closely_are_written_together(pipe: tuple[int, int]) -> None:
    os.set_blocking(pipe[0], False)
    writer = LineWriter(pipe[1])
    writer.write(b"a\n")
    await asyncio.sleep(0)
    writer.write(b"b\n")
    with pytest.raises(BlockingIOError):
        os.read(pipe[0], 100)
    readable = asyncio.Event()
    asyncio.get_running_loop().add_reader(pipe[0], readable.set)
    await asyncio.wait_for(readable.wait(), 5)
    asyncio.get_running_loop().remove_reader(pipe[0])
    assert os.read(pipe[0], 100) == b"a\nb\n"


async def test_a_burst_of_lines_does_not_wait(pipe: tuple[int, int]) -> None:
    os.set_blocking(pipe[0], False)
    writer = LineWriter(pipe[1])
    for _ in range(17):
        writer.write(b"x" * 1023 + b"\n")
    assert len(os.read(pipe[0], 1 << 16)) >= 16 << 10


def test_a_second_loop_can_write_after_the_first_has_closed_in_between(pipe: tuple[int, int]) -> None:
    writer = LineWriter(pipe[1])

    async def write_and_leave() -> None:
        writer.write(b"a\n")

    async def write_and_stay() -> None:
        writer.write(b"a\n")
        written = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(pipe[0], written.set_result, None)
        await asyncio.wait_for(written, 10)
        asyncio.get_running_loop().remove_reader(pipe[0])

    loop = asyncio.new_event_loop()
    loop.run_until_complete(loop.create_task(write_and_leave()))
    loop.close()  # before the scheduled flush
    asyncio.run(write_and_stay())
    assert os.read(pipe[0], 100) == b"a\na\n"


def test_a_reader_that_does_not_read_blocks_nobody_and_loses_the_newest_lines(pipe: tuple[int, int]) -> None:
    writer = LineWriter(pipe[1])
    line = b"x" * 9_999 + b"\n"
    for _ in range(300):  # three times what the pipe and the backlog hold
        writer.write(line)
    received = bytearray()

    def read() -> None:
        while b"log_lines_dropped" not in received:
            received.extend(os.read(pipe[0], 1 << 16))

    reader = threading.Thread(target=read)
    reader.start()
    while not writer.flush(wait=1.0):
        pass
    writer.flush(wait=1.0)
    reader.join(10)
    lines = bytes(received).split(b"\n")
    whole = [text for text in lines if text == line[:-1]]
    assert 100 < len(whole) < 300
    assert json.loads(lines[-2])["count"] == 300 - len(whole)


def test_a_closed_stderr_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    writer = LineWriter(write)
    writer.write(b"a\n")
    assert writer.flush()
    os.close(write)


def test_threads_write_whole_lines(pipe: tuple[int, int]) -> None:
    writer = LineWriter(pipe[1])

    def write(number: int) -> None:
        for _ in range(200):
            writer.write(b"%d\n" % number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.flush()
    lines = os.read(pipe[0], 1 << 16).split()
    assert {value: lines.count(value) for value in set(lines)} == {b"%d" % n: 200 for n in range(4)}


def test_what_json_cannot_carry_is_shown_as_its_repr() -> None:
    assert json.loads(json_line({"a": object})) == {"a": "<class 'object'>"}
