"""YAML as a tree with places: what scalars mean, and every way a document can be malformed."""

from __future__ import annotations

import pytest

from generator.document import (
    MAX_BYTES,
    MAX_DEPTH,
    decode,
    dotted,
    key_place,
    parse,
    plain,
    positions,
    value_place,
)
from generator.errors import InputError, Place


def read(text: str) -> object:
    root, findings = parse(text, "s.yaml")
    assert findings == ()
    assert root is not None
    return plain(root)


def ids(text: str) -> list[str]:
    return [f"{finding.place.line}:{finding.place.column} {finding.id}" for finding in parse(text, "s.yaml")[1]]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("False", False),
        ("12", 12),
        ("-3", -3),
        ("2.5", 2.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("~", None),
        ("", None),
        ("'12'", "12"),
        ("yes", "yes"),
        ("off", "off"),
        ("1:30", "1:30"),
        ("010", "010"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("2024-01-01", "2024-01-01"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("1e999", "1e999"),
        (".", "."),
        ("9" * 400, "9" * 400),
    ],
)
def test_a_scalar_means_what_it_looks_like(written: str, value: object) -> None:
    assert read(f"a: {written}") == {"a": value}


def test_keys_are_text_even_when_they_look_like_truth_values() -> None:
    assert read("{no: 1, true: 2, 3: 4}") == {"no": 1, "true": 2, "3": 4}


def test_every_key_and_item_knows_its_line_and_column() -> None:
    root, _ = parse("a:\n  b: {c: 1}\n  d:\n    - x\n    - y\n", "s.yaml")
    assert root is not None
    assert {dotted(path): (place.line, place.column) for path, place in positions(root)} == {
        "a": (1, 1),
        "a.b": (2, 3),
        "a.b.c": (2, 7),
        "a.d": (3, 3),
        "a.d[0]": (4, 7),
        "a.d[1]": (5, 7),
    }
    assert value_place(root, ("a", "b", "c")) == Place("s.yaml", 2, 10)
    assert key_place(root, ("a", "b", "absent", "deeper")) == Place("s.yaml", 2, 3)


def test_a_path_with_unusual_names_is_quoted() -> None:
    assert dotted(("spec", "methods", "shop.Orders/*", "deadline", 0)) == 'spec.methods["shop.Orders/*"].deadline[0]'


def test_aliases_and_merge_keys_are_followed() -> None:
    assert read("a: &x {p: 1, q: 2}\nb: *x\nc: {<<: *x, q: 3}\nd: {<<: [{p: 9}, *x]}") == {
        "a": {"p": 1, "q": 2},
        "b": {"p": 1, "q": 2},
        "c": {"p": 1, "q": 3},
        "d": {"p": 9, "q": 2},
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: b: c", ["1:5 yaml-syntax"]),
        ("a: [1, 2", ["2:1 yaml-syntax"]),
        ("a: 'open", ["1:9 yaml-syntax"]),
        ("a: 1\n--- \nb: 2", ["2:1 yaml-documents"]),
        ("a: 1\nb: 2\na: 3", ["3:1 duplicate-key"]),
        ("{a: 1, a: 2, b: {c: 1, c: 2}}", ["1:8 duplicate-key", "1:24 duplicate-key"]),
        ("? [a]\n: 1", ["1:3 yaml-key"]),
        ("a: !!python/object/apply:os.system [id]", ["1:4 yaml-tag"]),
        ("a: !!int '3'", ["1:4 yaml-tag"]),
        ("a: *nothing", ["1:4 yaml-alias"]),
        ("a: &x [*x]", ["1:8 yaml-alias"]),
        ("<<: 1", ["1:5 yaml-key"]),
        ("a: &x {p: 1}\nb: {<<: *x, <<: *x}", ["2:13 duplicate-key"]),
        ("a: \x07", ["1:4 yaml-syntax"]),
        ('a: "\\a"', ["1:4 control-character"]),
        ("[" * (MAX_DEPTH + 1), [f"1:{MAX_DEPTH + 1} yaml-too-deep"]),
        ("%YAML 9.9\n---\na: 1", ["1:1 yaml-syntax"]),
        ("", []),
        ("# nothing", []),
    ],
)
def test_a_malformed_document_is_one_finding_at_its_place(text: str, found: list[str]) -> None:
    assert ids(text) == found


def test_a_tab_as_indentation_is_named_as_such() -> None:
    finding = parse("a:\n\tb: 1\n", "s.yaml")[1][0]
    assert str(finding).startswith("s.yaml:2:1: yaml-syntax: a tab stands where indentation should be")


def test_a_missing_bracket_is_told_where_it_was_opened() -> None:
    finding = parse("a: 1\nb: {c: 1\nd: 2\n", "s.yaml")[1][0]
    assert "that starts in line 2" in finding.message


def test_a_billion_laughs_are_cut_short() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert [finding.id for finding in parse("\n".join(lines), "s.yaml")[1]] == ["yaml-too-large"]


def test_too_large_a_file_is_refused_before_it_is_read() -> None:
    with pytest.raises(InputError, match="yaml-too-large"):
        decode(b"a" * (MAX_BYTES + 1), "s.yaml")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("a: ä\nb: ".encode() + b"\xff", "s.yaml:2:4: yaml-encoding: the byte 0xff"),
        ("a: 1".encode("utf-16"), "UTF-16"),
        ("a: 1".encode("utf-16-le"), "UTF-16"),
        ("a: 1".encode("utf-32"), "UTF-16 or UTF-32"),
        (b"\xc3", "s.yaml:1:1"),
    ],
)
def test_what_is_not_utf8_is_refused_with_its_place(data: bytes, message: str) -> None:
    with pytest.raises(InputError) as caught:
        decode(data, "s.yaml")
    assert message in str(caught.value)


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert decode(b"\xef\xbb\xbfa: 1", "s.yaml") == "a: 1"


def test_windows_line_ends_count_as_one_line_each() -> None:
    root, _ = parse("a: 1\r\nb: 2\r\n", "s.yaml")
    assert root is not None
    assert value_place(root, ("b",)) == Place("s.yaml", 2, 4)
