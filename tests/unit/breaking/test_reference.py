"""docs/breaking.md has every rule that there is, as it is."""

import re

from generator import resources
from generator.breaking import contract
from generator.breaking.reference import GROUPS, inserted
from generator.breaking.versions import BEHAVIOUR_RULES

PAGE = (resources.root() / "docs/breaking.md").read_text(encoding="utf-8")


def test_the_page_is_up_to_date() -> None:
    assert inserted(PAGE) == PAGE


def test_the_page_has_every_rule_once() -> None:
    known = [rule.id for rule in contract.RULES] + [rule.id for rule in BEHAVIOUR_RULES]
    told = [rule.id for rules in GROUPS.values() for rule in rules]
    assert sorted(told) == sorted(known)
    assert len(set(told)) == len(told)


def test_every_rule_says_in_a_few_plain_words_what_it_is() -> None:
    for rules in GROUPS.values():
        for rule in rules:
            assert re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+", rule.id)
            assert rule.hits
            for text in (rule.means, rule.instead):
                assert not text.endswith(".")
                assert "|" not in text
                assert "\n" not in text
