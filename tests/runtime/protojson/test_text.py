"""JSON text: one value of what RFC 8259 allows, each key once, at most 100 levels."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from runtime.protojson.refusal import RefusedError
from runtime.protojson.text import parse


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"null", None),
        (b" \t\r\n[1, 2.5, -0.0, true, false, null]\n", [1, 2.5, -0.0, True, False, None]),
        (b'{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}', {"a": {"a": {"a": 1}}, "b": [{"a": 1}, {"a": 1}]}),
        (b'{"a" : "x : y", "b"\n:\n"\\":", "\\":" : 1}', {"a": "x : y", "b": '":', '":': 1}),
        ('"\\u00e9é\\ud83d\\ude00"'.encode(), "éé😀"),
        (b'"\\u0000"', "\0"),
        (b"18446744073709551615", 2**64 - 1),
        (b"-9223372036854775808", -(2**63)),
        (b"1e308", 1e308),
        (b"[" * 100 + b"]" * 100, json.loads("[" * 100 + "]" * 100)),
    ],
)
def test_json_is_read(text: bytes, value: Any) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" ",
        b"{",
        b"}",
        b"[1,]",
        b'{"a":1,}',
        b'{"a"}',
        b"{a:1}",
        b"{'a':1}",
        b"{1:1}",
        b"{null:1}",
        b"{} {}",
        b"{}x",
        b"// {}",
        b"01",
        b"-01",
        b"+1",
        b".5",
        b"1.",
        b"1_0",
        b"0x10",
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"True",
        b"nul",
        b"1e400",
        b"9" * 400,
        b'"a',
        b'"\t"',
        b'"\\x"',
        b'"\\U0041"',
        b'"\\u12"',
        b'"\\ud800"',
        b'"\\udc00"',
        b'"\\ude00\\ud83d"',
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"\xc0\x80"',
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\0}\0",
        b"[" * 5_000_000,
    ],
    ids=lambda text: repr(text[:20]),
)
def test_what_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(RefusedError, match="is not valid JSON"):
        parse(text)


@pytest.mark.parametrize(
    "text", [b"[" * 101 + b"]" * 101, b'{"a":' * 101 + b"1" + b"}" * 101, b'[{"a":' * 51 + b"1" + b"}]" * 51]
)
def test_the_101st_level_is_refused(text: bytes) -> None:
    with pytest.raises(RefusedError, match="nested more than 100 levels deep"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (b'{"a":1,"a":1}', "a"),
        (b'{"a":1,"\\u0061":1}', "a"),
        (b'{"a" :1,"a"\t:1}', "a"),
        (b'{"b":":","a":1,"a":1}', "a"),
        (b'{"b":[{},{"c":{"a":1,"a":2}}]}', "b[1].c.a"),
        (b'[[0,{"a":1,"b":2,"a":3}]]', "[0][1].a"),
        (b'{"a":{"x":1},"a":2}', "a"),
        (b'{"":1,"":2}', ""),
    ],
)
def test_a_key_that_is_given_twice_is_refused_where_it_is(text: bytes, path: str) -> None:
    with pytest.raises(RefusedError, match="is given twice") as refused:
        parse(text)
    assert refused.value.path == path


_TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(alphabet='a":\\ \n,{}[]é', max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='a":\\ ', max_size=3), inner, max_size=3)
    ),
    max_leaves=20,
)


@given(_TREES, st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : "), ("\n,", "\n:"), (",\t", "\t:\r")]))
@example({"a": '\\":'}, (",", ":"))
def test_whatever_a_text_holds_no_key_is_thought_to_be_there_twice(value: Any, separators: tuple[str, str]) -> None:
    assert parse(json.dumps(value, separators=separators).encode()) == value


@given(_TREES, st.text(alphabet='a":\\ ', max_size=3), st.sampled_from([":", " :", "\n:", "\t :", "\r:"]))
def test_whatever_a_text_holds_a_key_that_is_there_twice_is_found(value: Any, key: str, colon: str) -> None:
    item, name = json.dumps(value), json.dumps(key)
    text = f"[{item},{{{name}{colon}{item},{name}{colon}0}}]"
    with pytest.raises(RefusedError):
        parse(text.encode())
