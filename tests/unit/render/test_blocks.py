"""Every template is made of named blocks, so that any part of an emitted file can be overridden by itself."""

import re

import pytest
from jinja2 import nodes

from generator import resources
from generator.render.environment import environment
from generator.render.layers import built_in_alone

FOLDER = resources.root() / "templates" / "python"
NAMES = environment(built_in_alone()).list_templates(extensions=["j2"])
CONTRACT_TESTS = [name for name in NAMES if name.startswith("managed/tests/contract/")]


def parsed(name: str) -> nodes.Template:
    return environment(built_in_alone()).parse((FOLDER / name).read_text())


def outside_blocks(node: nodes.Node) -> list[str]:
    """What the node prints outside blocks; the lines between two blocks are nobody's."""
    if isinstance(node, nodes.Block):
        return []
    if isinstance(node, nodes.Output):
        texts = [part.data if isinstance(part, nodes.TemplateData) else repr(part) for part in node.nodes]
        return [text for text in texts if text.strip()]
    return [text for child in node.iter_child_nodes() for text in outside_blocks(child)]


@pytest.mark.parametrize("name", NAMES)
def test_a_template_prints_nothing_outside_its_blocks(name: str) -> None:
    assert outside_blocks(parsed(name)) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_block_in_a_loop_sees_what_the_loop_is_about(name: str) -> None:
    looped = [block for loop in parsed(name).find_all(nodes.For) for block in loop.find_all(nodes.Block)]

    assert [block.name for block in looped if not block.scoped] == []


@pytest.mark.parametrize("name", CONTRACT_TESTS)
def test_each_test_of_a_contract_test_is_a_block_of_its_name(name: str) -> None:
    tests = re.findall(r"^(?:async )?def (test_\w+)", (FOLDER / name).read_text(), re.MULTILINE)

    assert {block.name for block in parsed(name).find_all(nodes.Block)} >= set(tests)
