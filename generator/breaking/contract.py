"""The rules about contracts, by buf's names and in buf's categories: https://buf.build/docs/breaking/rules."""

from __future__ import annotations

from collections.abc import Iterator

from generator.breaking import declarations, enums, fields, messages, services
from generator.breaking.rule import Break, Category, Rule
from generator.breaking.schema import Schema

RULES: tuple[Rule[Schema], ...] = (
    *declarations.RULES,
    *messages.RULES,
    *fields.RULES,
    *enums.RULES,
    *services.RULES,
)


def compare(before: Schema, after: Schema, category: Category) -> Iterator[Break]:
    """What of `before` the rules of that category find broken in `after`."""
    for rule in RULES:
        if category in rule.categories:
            for change in rule.find(before, after):
                yield Break(rule, change)
