"""Durations and sizes: what is read, what is refused and with which advice, what is written back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.spec.units import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("300ms", 0.3),
        ("1.5s", 1.5),
        ("2m", 120.0),
        ("1h30m", 5400.0),
        ("24h", 86400.0),
        ("30d", 2592000.0),
        ("250us", 0.00025),
        ("1m30.5s", 90.5),
        ("0s", 0.0),
        ("1d2h3m4s5ms6us", 93784.005006),
    ],
)
def test_a_duration_is_read_as_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("5", "write 5s or 5ms"),
        ("0", "write 0s"),
        ("1:30", "1m30s"),
        ("5 sec", "write 5s"),
        ("10 minutes", "write 10m"),
        ("2H", "write 2h"),
        ("100MS", "write 100ms"),
        ("-5s", "negative"),
        ("30m1h", "not a duration"),
        ("1s1s", "not a duration"),
        ("", "not a duration"),
        ("soon", "not a duration"),
        ("05s", "write 5s"),
        ("1ns", "'1ns' is not a duration$"),
        ("1w", "'1w' is not a duration$"),
        ("9" * 20 + "h", "has too many digits$"),
        ("9" * 5000 + "y", "^.{40,60} is not a duration$"),
        ("1_000ms", "not a duration"),
        ("٣s", "not a duration"),
        ("1s\n", "not a duration"),
        ("4000d", "longer than ten years"),
    ],
)
def test_what_is_no_duration_is_refused_with_advice(text: str, advice: str) -> None:
    with pytest.raises(ValueError, match=advice.replace("(", r"\(")):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.3, "300ms"),
        (0.0025, "2.5ms"),
        (0.00025, "250us"),
        (1.5, "1.5s"),
        (60, "1m"),
        (90, "1m30s"),
        (86400, "24h"),
        (2592000, "30d"),
        (90000, "25h"),
        (3600.25, "1h0.25s"),
    ],
)
def test_a_duration_is_written_as_one_would(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(min_value=0, max_value=10**13))
def test_a_duration_written_and_read_again_is_the_same(micros: int) -> None:
    seconds = micros / 1_000_000
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "size"),
    [("512B", 512), ("64KiB", 65536), ("1MiB", 1048576), ("4MB", 4_000_000), ("1.5KiB", 1536), ("2kB", 2000)],
)
def test_a_size_is_read_as_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("4mb", "write 4MiB"),
        ("64K", "write 64KiB"),
        ("64 kib", "write 64KiB"),
        ("0.3B", "whole number"),
        ("100GiB", "2GiB or more"),
        ("big", "not a size"),
        ("64KiB\n", "not a size"),
    ],
)
def test_what_is_no_size_is_refused_with_advice(text: str, advice: str) -> None:
    with pytest.raises(ValueError, match=advice):
        parse_size(text)


@given(st.integers(min_value=1, max_value=2**31 - 1))
def test_a_size_written_and_read_again_is_the_same(size: int) -> None:
    assert parse_size(format_size(size)) == size
