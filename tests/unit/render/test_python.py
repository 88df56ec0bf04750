"""Untrusted text stays text in the Python that comes out."""

import ast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from generator.render import python
from generator.render.python import Construct


@given(st.text())
@example('"""')
@example('ends with "')
@example("ends with \\")
@example('\\"""')
@example("{{ x }} {% y %}")
@example("a\u202eb\x00c")
@example('\u2028"""\nimport os')
@example("one\r\ntwo\x0cthree")
def test_a_docstring_is_one_string_whatever_the_comment_says(text: str) -> None:
    source = f"def f():\n    {python.docstring(text, 4)}\n"
    tree = ast.parse(source)
    function = tree.body[0]
    assert len(tree.body) == 1
    assert isinstance(function, ast.FunctionDef)
    assert len(function.body) == 1
    assert ast.get_docstring(function)


def test_a_docstring_shows_control_characters_instead_of_holding_them() -> None:
    shown = python.docstring("a\u202eb\x1b[31m")
    assert shown == '"""a\\\\u202eb\\\\u001b[31m"""'


@given(st.text())
@example("x\nimport os")
@example("x\u2028y\x85z")
def test_a_comment_is_one_line_whatever_it_says(text: str) -> None:
    assert ast.dump(ast.parse(f"# {python.comment(text)}")) == ast.dump(ast.parse(""))
    assert len(python.comment(text).splitlines()) <= 1


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=4).map(tuple) | st.dictionaries(st.text(), inner, max_size=4),
    )
)
def test_a_literal_reads_back_as_its_value(value: object) -> None:
    assert ast.literal_eval(python.literal(value)) == value


def test_a_construct_is_a_call_by_keyword() -> None:
    made = python.literal(Construct("Deadline", {"default": 2.0, "names": ("a",)}))
    assert made == 'Deadline(default=2.0, names=("a",))'


def test_a_value_without_a_literal_is_a_mistake_of_ours() -> None:
    with pytest.raises(TypeError, match="object"):
        python.literal(object())
