"""The plan's chain is the runtime's."""

from __future__ import annotations

from runtime.pipeline import ORDER

from generator.plan.chain import STAGES


def test_the_stages_stand_in_the_order_in_which_the_runtime_composes_them() -> None:
    names = [stage.name for stage in STAGES]
    assert names == [name for name in ORDER if name in names]
