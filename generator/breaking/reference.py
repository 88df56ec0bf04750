"""The rules as the tables of docs/breaking.md: `python -m generator.breaking.reference` writes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from generator import resources
from generator.breaking import declarations, enums, failures, fields, limits, messages, routes, services
from generator.breaking.rule import Category, Rule

BEGIN = "<!-- rules: written by `python -m generator.breaking.reference` -->"
END = "<!-- end of rules -->"

GROUPS: Mapping[str, tuple[Rule[Any], ...]] = MappingProxyType(
    {
        "Files and packages": declarations.RULES,
        "Messages": messages.RULES,
        "Fields": fields.RULES,
        "Enums": enums.RULES,
        "RPCs": services.RULES,
        "Routes": routes.RULES,
        "Errors": failures.RULES,
        "Limits and access": limits.RULES,
    }
)
"""Every rule there is, as the page has them."""


def render() -> str:
    """The tables, in Markdown."""
    return "\n".join(_group(title, rules) for title, rules in GROUPS.items())


def _group(title: str, rules: tuple[Rule[Any], ...]) -> str:
    lines = [
        f"### {title}",
        "",
        "| Rule | Categories | Finds | Hits | How to do it compatibly |",
        "|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(_row, rules)]) + "\n"


def _row(rule: Rule[Any]) -> str:
    hits = ", ".join(audience.value for audience in rule.hits)
    categories = ", ".join(_categories(rule))
    return f"| `{rule.id}` | {categories} | {rule.means} | {hits} | {rule.instead} |"


def _categories(rule: Rule[Any]) -> Iterator[str]:
    yield from (category.value for category in Category if category in rule.categories)


def inserted(page: str) -> str:
    """The page with the tables between its marks."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{render()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    target = resources.root() / "docs" / "breaking.md"
    target.write_text(inserted(target.read_text(encoding="utf-8")), encoding="utf-8")
