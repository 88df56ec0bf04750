"""The contract's comments in the document. They are text from outside: JSON escapes them, and whoever shows them must too."""

from __future__ import annotations

from generator.contract.model import Field
from generator.render.openapi.scalars import Schema

_LONGEST_SUMMARY = 120
_BEHAVIORS = {
    "REQUIRED": "Required.",
    "IMMUTABLE": "Immutable.",
    "IDENTIFIER": "Identifier.",
    "OUTPUT_ONLY": "Output only.",
    "INPUT_ONLY": "Input only.",
    "UNORDERED_LIST": "Unordered.",
}


def described(schema: Schema, description: str, *, deprecated: bool) -> None:
    """Add what the contract says of something to its schema."""
    if description:
        schema["description"] = description
    if deprecated:
        schema["deprecated"] = True


def field_description(field: Field) -> str:
    """A field's comment, after what its `google.api.field_behavior` says and the comment does not."""
    said = [text for name, text in _BEHAVIORS.items() if name in field.behaviors]
    return " ".join(
        [*(text for text in said if text.rstrip(".").lower() not in field.comment.lower()), field.comment]
    ).strip()


def summary(comment: str) -> str:
    """A comment's first sentence, "" where that is too long for one line."""
    paragraph = " ".join(comment.split("\n\n", 1)[0].split())
    first, dot, _ = paragraph.partition(". ")
    text = first + "." if dot else paragraph
    return text if len(text) <= _LONGEST_SUMMARY else ""
