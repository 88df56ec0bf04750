"""The plan's chain is the runtime's."""

from __future__ import annotations

from runtime.client.chain import STAGES as CLIENT_CHAIN
from runtime.pipeline import ORDER

from generator.plan.chain import STAGES
from generator.plan.outgoing import CLIENT_STAGES


def test_the_stages_stand_in_the_order_in_which_the_runtime_composes_them() -> None:
    names = [stage.name for stage in STAGES]
    assert names == [name for name in ORDER if name in names]


def test_the_stages_of_outgoing_calls_are_those_that_the_runtime_composes() -> None:
    assert [stage.name for stage in CLIENT_STAGES] == [name for name, _ in CLIENT_CHAIN]
