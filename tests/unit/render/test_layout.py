"""What is laid out while rendering is what black would have made of it."""

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from generator.render import formatting, layout
from generator.render.python import Construct, docstring, literal

NAMES = st.sampled_from(["a", "deadline", "max_concurrent_streams", "x" * 40])
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=60)
)
LONG = "a rather long text, so that little of it fits on a line " * 2


def containers(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return (
        st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(st.text(max_size=30), inner, max_size=4)
        | st.frozensets(st.text(max_size=30), max_size=5)
        | st.builds(Construct, st.sampled_from(["Capture", "P" * 30]), st.dictionaries(NAMES, inner, max_size=4))
    )


@given(st.recursive(LEAVES, containers, max_leaves=25))
@example((LONG,))
@example(frozenset({LONG}))
@example(frozenset({LONG, "b"}))
@example({"a": (LONG, LONG), "b": Construct("C", {"a": LONG})})
@example(Construct("C", {"a": Construct("D", {"b": ("x" * 50, "y" * 60)})}))
@example(("「" * 30, "」" * 22))
@example({})
def test_a_value_is_laid_out_as_black_lays_it_out(value: object) -> None:
    plain = f"made = make(\n    value={literal(value)},\n    other=1,\n)\n"
    assert f"made = make(\n{layout.laid_out(value, '    value=', ',')}\n    other=1,\n)\n" == formatting.python(plain)


@given(st.text() | st.binary())
@example("it's")
@example('"it\'s"')
@example("\\'\"")
@example('\\\\"')
def test_a_text_is_in_the_quotes_that_black_prefers(value: str | bytes) -> None:
    line = f"x = {literal(value)}\n"
    assert formatting.python(line) == line or not layout.fits(line)


@given(st.text(max_size=150) | st.text(alphabet='ab "\\\n\t:{}\r\x0c\u2028', max_size=60), st.sampled_from([0, 4, 8]))
@example('"quoted"', 4)
@example("ends with \\", 4)
@example("x" * 130, 4)
@example("a\n\n    b\n      c", 4)
def test_a_docstring_is_laid_out_as_black_lays_it_out(text: str, indent: int) -> None:
    head = {0: "", 4: "class A:\n", 8: "class A:\n    def f(self) -> None:\n"}[indent]
    tail = {0: "\nx = 1\n", 4: "\n    x = 1\n", 8: "        return 1\n"}[indent]
    source = f"{head}{' ' * indent}{docstring(text, indent)}\n{tail}"
    assert formatting.python(source) == source


@pytest.mark.parametrize("indent", [4, 8])
@pytest.mark.parametrize("length", range(20, 160, 3))
@pytest.mark.parametrize(
    "value",
    [
        "message.{}",
        "decode_{}(value)",
        "encode_{}(message.field, style)",
        "[decode_{}(item) for item in array(value)]",
        "{{key: encode_{}(item, style) for key, item in sorted(value.items())}}",
        "value if style.enum_numbers else {}.get(value, value)",
    ],
)
def test_an_assignment_is_laid_out_as_black_does_or_left_to_it(value: str, length: int, indent: int) -> None:
    line = layout.assignment('json["field"]', value.format("x" * length), indent)
    opened = "".join(f"{' ' * at}if x:\n" for at in range(0, indent, 4))
    source = f"{opened}{line}\n"
    told = layout.resplit(source)
    assert told is None or formatting.python(source) == told


ATOMS = st.builds(lambda length: "m" * length, st.integers(1, 130)) | st.builds(
    lambda length: literal('"' * (length % 3) + "s" * length), st.integers(1, 130)
)
CALLS = st.builds(
    lambda name, arguments: f"{'f' * name}({', '.join(arguments)})",
    st.integers(1, 130),
    st.lists(ATOMS | st.builds(lambda name, atom: f"{'g' * name}({atom})", st.integers(1, 20), ATOMS), max_size=3),
)
FRAMES = [
    "{}\n",
    "def f():\n    raise {}\n",
    "if (\n    name := {}\n) is not None:\n    pass\n",
    'table = {{\n    "a key": {},\n    "b": 1,\n}}\n',
    "made = make(\n    name={},\n    other=1,\n)\n",
    "name = {}\n",
    "def f():\n    return {}\n",
    "# {}\n",
]


@given(st.sampled_from(FRAMES), CALLS | ATOMS)
@example('table = {{\n    "a key": {},\n    "b": 1,\n}}\n', f"decode({'x' * 110})")
@example("name = {}\n", f'"{"s" * 115}"')
@example("{}\n", f"f({', '.join(['x' * 60] * 2)})")
def test_a_long_line_is_split_as_black_splits_it_or_left_to_it(frame: str, value: str) -> None:
    source = frame.format(value)
    assume(max(map(len, source.split("\n"))) > layout.LINE_LENGTH)
    told = layout.resplit(source)
    assert told is None or formatting.python(source) == told


@pytest.mark.parametrize(
    "source",
    [
        f"# {' comment' * 20}\n",
        f'table = {{\n    "GET /v1/{"things/" * 20}": get_thing,\n    "b": 1,\n}}\n',
        f'table = {{\n    "{"k" * 60}": "{"v" * 60}",\n    "b": 1,\n}}\n',
        f'table = {{\n    "{"k" * 50}": decode_{"v" * 50}(body),\n    "b": 1,\n}}\n',
        f"from package.{'m' * 80} import {', '.join('abc' * 12)}\n",
        f'table = {{\n    "{"k" * 70}": decode_{"v" * 70}(body),\n    "b": 1,\n}}\n',
        f'if (\n    value := get("{"k" * 70}", get("{"k" * 70}"))\n) is not None:\n    pass\n',
        f"def {'f' * 130}(\n    a: int,\n) -> None:\n    pass\n",
        f'def f():\n    raise unimplemented("/{"p" * 100}")\n',
        f'if (\n    value := get("{"k" * 50}", get("{"k" * 50}"))\n) is not None:\n    pass\n',
    ],
)
def test_what_grows_with_names_is_not_left_to_black(source: str) -> None:
    assert layout.resplit(source) == formatting.python(source)


@pytest.mark.parametrize("length", range(60, 140, 4))
@pytest.mark.parametrize("parameters", [["json: Any"], ["message: Any", "style: Style"], ["self", "a" * 60, "b" * 60]])
def test_a_signature_is_laid_out_as_black_lays_it_out(parameters: list[str], length: int) -> None:
    signature = layout.signature("def " + "f" * length, parameters, " -> None:", 0)
    source = f"{signature}\n    pass\n"
    assert formatting.python(source) == source


@given(st.lists(st.text(max_size=30), min_size=1, max_size=8), st.sampled_from([8, 12, 16]))
@example(["x" * 30] * 3, 8)
@example(["x" * 30] * 4, 8)
@example(["x" * 100], 8)
@example(["x" * 130], 8)
@example(["x" * 130, "y"], 16)
def test_a_case_is_laid_out_as_black_lays_it_out(texts: list[str], indent: int) -> None:
    margin = " " * (indent - 4)
    head = "".join(f"{' ' * depth}if a:\n" for depth in range(0, indent - 4, 4))
    source = f"{head}{margin}match name:\n{layout.case(texts, indent)}\n{margin}        pass\n"
    assert formatting.python(source) == source
