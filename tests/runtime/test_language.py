"""The language of a text: Accept-Language (RFC 9110) looked up in what there is (RFC 4647)."""

from __future__ import annotations

import pytest
from runtime.language import best_language, preferred_ranges
from runtime.metadata import Metadata


@pytest.mark.parametrize(
    ("header", "ranges"),
    [
        ("", ()),
        ("zh", ("zh",)),
        ("en;q=0.5, ZH-Hans", ("zh-hans", "en")),
        ("a;q=0.1,b;q=0.9,c", ("c", "b", "a")),
        ("de;q=0.5,fr;q=0.5", ("de", "fr")),
        ("en;q=0, de", ("de",)),
        ("en;q=2, en;q=x, en;q=nan, fr", ("fr",)),
        ("en-, -, ÿ, toolongsubtag, *", ("*",)),
        (" ; , ;;; ,en ; q = 0.3", ("en",)),
    ],
)
def test_ranges_come_best_first_without_what_is_unreadable_or_unwanted(header: str, ranges: tuple[str, ...]) -> None:
    assert preferred_ranges(header) == ranges


def test_a_header_of_endless_ranges_is_read_only_as_far_as_a_wish_goes() -> None:
    assert len(preferred_ranges(",".join(f"a{number}" for number in range(10_000)))) == 32


@pytest.mark.parametrize(
    ("header", "available", "chosen"),
    [
        ("zh", ("en", "zh"), "zh"),
        ("zh-CN", ("en", "zh"), "zh"),
        ("ZH-hant-TW", ("en", "zh-Hant"), "zh-Hant"),
        ("zh-Hant-x-private", ("en", "zh-Hant"), "zh-Hant"),
        ("zh", ("en", "zh-CN"), "zh-CN"),
        ("fr, zh;q=0.5", ("en", "zh"), "zh"),
        ("fr;q=0.9, *", ("en", "fr"), "en"),
        ("fr", ("en", "zh"), "en"),
        ("", ("en", "zh"), "en"),
        ("zh", ("en",), "en"),
        ("zh", (), ""),
        ("e", ("de", "en"), "de"),
    ],
)
def test_the_best_language_is_looked_up_and_the_first_is_the_default(
    header: str, available: tuple[str, ...], chosen: str
) -> None:
    assert best_language(Metadata([("accept-language", header)]), available) == chosen


def test_several_headers_are_one_list() -> None:
    metadata = Metadata([("accept-language", "fr;q=0.2"), ("accept-language", "zh;q=0.9")])
    assert best_language(metadata, ("en", "fr", "zh")) == "zh"
