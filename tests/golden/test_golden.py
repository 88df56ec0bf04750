"""The emitted text itself, where it matters: `make examples` writes what has changed, for review."""

from __future__ import annotations

import pytest

from tests.golden.cases import CASES, Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_emitted_is_what_was_agreed_to(case: Case) -> None:
    emitted, golden = case.emitted(), case.golden()
    assert sorted(golden) == sorted(emitted), "run `make examples`"
    for path, content in emitted.items():
        assert content.decode() == golden[path].decode(), f"{path}: run `make examples` and look at the difference"
