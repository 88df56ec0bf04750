"""Layers of templates: what overrides what, and that an override of nothing is never passed over."""

import ast
from collections.abc import Mapping, Sequence
from functools import cache

import pytest

from generator.errors import InputError
from generator.plan.model import Plan
from generator.project.customising import starting_block
from generator.render.emit import Emit, Owner
from generator.render.layers import Layer, Layers, built_in, built_in_alone
from generator.render.overrides import block_names, block_text
from generator.render.render import render
from tests.golden.cases import CASES, Case

ERRORS = "managed/src/{package}/gen/errors.py.j2"
SERVICE = "managed/src/{package}/gen/services/{service}.py.j2"
HEADER = "header.py.j2"
GEN = "src/golden/gen"
TEMPLATES = [name for name in built_in().files if name.endswith(".j2")]
BLOCKS = [(name, block) for name in TEMPLATES for block in block_names(built_in_alone(), name)]


@cache
def plan() -> Plan:
    (errors,) = (case for case in CASES if case.name == "errors")
    return errors.plan()


def layer(name: str, files: Mapping[str, str]) -> Layer:
    return Layer(name, f"{name}/templates", {path: text.encode() for path, text in files.items()})


def emitted(*above: Layer) -> dict[str, Emit]:
    return {emit.path: emit for emit in render(plan(), layers=Layers(above) if above else None)}


def text(emits: Mapping[str, Emit], path: str) -> str:
    return emits[path].content.decode()


def refused(*above: Layer) -> Sequence[str]:
    with pytest.raises(InputError) as raised:
        emitted(*above)
    return [str(finding) for finding in raised.value.findings]


def extending(name: str, blocks: str) -> str:
    return f'{{% extends "next:{name}" %}}\n{blocks}'


def test_a_block_is_overridden_by_itself_and_may_use_what_it_overrides() -> None:
    above = layer("user", {ERRORS: extending(ERRORS, "{% block domain %}\n{{ super() }}MINE = 1\n{% endblock %}\n")})

    before, after = emitted(), emitted(above)

    domain = next(line for line in text(before, f"{GEN}/errors.py").splitlines() if line.startswith("DOMAIN = "))
    assert text(after, f"{GEN}/errors.py") == text(before, f"{GEN}/errors.py").replace(domain, f"{domain}\nMINE = 1", 1)
    assert [path for path in before if before[path].content != after[path].content] == [f"{GEN}/errors.py"]
    assert (after[f"{GEN}/errors.py"].layer, after[f"{GEN}/errors.py"].template) == ("user", ERRORS)


def test_each_layer_overrides_what_the_ones_below_it_made() -> None:
    def adding(name: str) -> Layer:
        block = f"{{% block docstring %}}\n{{{{ super() }}}}# {name}\n{{% endblock %}}\n"
        return layer(name, {ERRORS: extending(ERRORS, block)})

    after = text(emitted(adding("user"), adding("first"), adding("second")), f"{GEN}/errors.py")

    assert [line for line in after.splitlines() if line.startswith("# ")][1:] == ["# second", "# first", "# user"]


def test_a_layer_without_the_template_is_passed_over() -> None:
    above = layer("user", {ERRORS: extending(ERRORS, "{% block domain %}\nDOMAIN = 'mine'\n{% endblock %}\n")})

    after = emitted(above, layer("pack", {"extra/a.txt": "a"}))

    assert 'DOMAIN = "mine"\n' in text(after, f"{GEN}/errors.py")


def test_a_block_in_a_loop_sees_the_loops_variable() -> None:
    block = "{% block error_class %}\n# {{ row.reason }}, {{ package }}\n{{ super() }}\n{% endblock %}\n"

    after = text(emitted(layer("user", {ERRORS: extending(ERRORS, block)})), f"{GEN}/errors.py")

    assert "# OUT_OF_STOCK, golden\nclass OutOfStock(TableError):" in after


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_overrides_to_start_from_change_no_byte(case: Case) -> None:
    files = {}
    for name in TEMPLATES:
        blocks = (starting_block(block) for block in block_names(built_in_alone(), name))
        files[name] = extending(name, "\n".join(blocks))
    layers = Layers([layer("user", files)])

    after = {emit.path: emit.content for emit in render(case.plan(), layers=layers)}

    assert after == {emit.path: emit.content for emit in render(case.plan())}


def test_a_whole_template_is_overridden_and_formatted() -> None:
    after = emitted(layer("user", {ERRORS: "X = {{ domain|literal }}  ;Y=1\n"}))

    assert text(after, f"{GEN}/errors.py").endswith('\nX = "golden.example.com"\nY = 1\n')


def test_a_file_of_the_runtime_is_overridden_to_the_letter() -> None:
    after = emitted(layer("user", {"runtime/codes.py": "X = 1  # as it stands\n"}))

    assert text(after, "src/golden/runtime/codes.py") == "X = 1  # as it stands\n"
    assert after["src/golden/runtime/codes.py"].layer == "user"


def test_a_header_stands_at_the_top_of_every_managed_python_file_and_of_no_other() -> None:
    block = "{% block header %}\n#Copyright Acme.\n#\n{{ super() }}\n{% endblock %}\n"

    after = emitted(layer("user", {HEADER: extending(HEADER, block)}))

    tops = {
        path: emit.content.startswith(b"# Copyright Acme.\n#\n")
        for path, emit in after.items()
        if path.endswith((".py", ".pyi"))
    }
    assert {after[path].owner for path, headed in tops.items() if not headed} == {Owner.SEEDED, Owner.APPENDED}
    assert {after[path].owner for path, headed in tops.items() if headed} == {Owner.MANAGED}
    assert text(after, f"{GEN}/errors.py").startswith("# Copyright Acme.\n#\n# Generated by holdfast from")
    for path in tops:
        ast.parse(after[path].content)


def test_a_header_that_is_more_than_comments_is_refused() -> None:
    assert refused(layer("user", {HEADER: "import os\n"})) == [
        'user/templates/header.py.j2: template-error: a header is made of comments, and "import os" is none'
    ]


def test_extra_files_are_emitted_as_managed_ones() -> None:
    above = layer(
        "acme",
        {
            "extra/OWNERS": "{{ not rendered }}\n",
            "extra/src/{package}/audit/{service}.py.j2": 'NAME={{ service.full_name|literal }}\nPACKAGE="{{ package }}"\n',
            "extra/src/{package}/audit/{dependency}.py": "",
        },
    )

    after = emitted(above)

    (service,) = (path for path in after if path.startswith("src/golden/audit/"))
    assert text(after, "OWNERS") == "{{ not rendered }}\n"
    assert text(after, service).endswith('\nPACKAGE = "golden"\n')
    assert {(after[path].owner, after[path].layer) for path in ("OWNERS", service)} == {(Owner.MANAGED, "acme")}


@pytest.mark.parametrize(
    "path",
    ["contract/a.proto", ".holdfast/lock.yaml", ".git/hooks/pre-commit", "pyproject.toml", "src/{package}/app.py"],
)
def test_an_extra_file_takes_no_other_files_place(path: str) -> None:
    (finding,) = refused(layer("acme", {f"extra/{path}": ""}))

    assert finding.startswith(f"acme/templates/extra/{path}: path-taken: ")


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        (
            "managed/src/{package}/gen/eror.py.j2",
            "x",
            ': nothing-to-override: no layer below has a template "managed/src/{package}/gen/eror.py.j2"; did you mean',
        ),
        ("runtime/new.py", "x = 1", ': nothing-to-override: no layer below has a template "runtime/new.py"'),
        ("manged/a.j2", "x", ': unknown-template: "manged/a.j2" is not where a template could be; templates are below'),
        (
            "extra/{pkg}.py",
            "",
            ": unknown-template: {pkg} stands for nothing in a path; known: {dependency}, {package}",
        ),
        (
            ERRORS,
            extending(ERRORS, "\n{% block domian %}\n{% endblock %}\n"),
            ":3: nothing-to-override: no layer below has a block \"domian\" here; did you mean 'domain'?",
        ),
        (
            ERRORS,
            extending("managed/gone.j2", ""),
            ':1: nothing-to-override: there is no template "managed/gone.j2" to extend',
        ),
        (ERRORS, f'{{% extends "{ERRORS}" %}}', ':1: template-error: it extends itself; write "next:'),
        (ERRORS, "{% extends name %}", ':1: template-error: what it extends must be a text; write "next:'),
        (
            ERRORS,
            extending(ERRORS, "\n\nlost\n{% block domain %}{% endblock %}"),
            ":4: template-error: what stands outside blocks is not printed, for the template extends another; put it",
        ),
        (ERRORS, "a\n{% if %}", ":2: template-error: Expected an expression, got 'end of statement block'"),
        (ERRORS, "a\n{{ name | no_such }}", ":2: template-error: No filter named 'no_such'."),
        (
            ERRORS,
            "{% block a %}{% endblock %}\n{% block a %}{% endblock %}",
            ":2: template-error: block 'a' defined twice",
        ),
        (ERRORS, "X = 1\nY = {{ no_such }}\n", ":2: template-error: 'no_such' is undefined"),
        (
            ERRORS,
            extending(ERRORS, "{% block domain %}\n{{ rows[0].colour }}\n{% endblock %}"),
            ":3: template-error: 'generator.render.errors.ErrorView object' has no attribute 'colour'",
        ),
        (ERRORS, "X = 1\n{{ rows | laid_out }}", ":2: template-error: TypeError: "),
        (ERRORS, '{% include "shared/a.j2" %}', ':1: template-error: there is no template "shared/a.j2"'),
        (
            ERRORS,
            "def broken(:\n",
            f": template-error: {GEN}/errors.py would be no Python: cannot parse for target version Python 3.11: 2:",
        ),
        ("runtime/codes.py", "X = 1\ndef broken(:\n", ":2:12: template-error: it is no Python: invalid syntax"),
    ],
)
def test_what_is_wrong_with_a_template_is_one_finding_at_its_line(name: str, source: str, expected: str) -> None:
    (finding,) = refused(layer("user", {name: source}))

    assert finding.startswith(f"user/templates/{name}{expected}"), finding


def test_a_template_that_is_no_text_is_refused() -> None:
    (finding,) = refused(Layer("user", "mine", {ERRORS: b"\xff"}))

    assert finding == f"mine/{ERRORS}: template-error: it is not UTF-8: invalid start byte"


def test_every_finding_of_all_layers_is_told_at_once() -> None:
    findings = refused(layer("user", {"runtime/a.py": ""}), layer("acme", {"runtime/b.py": "", "c": ""}))

    assert [finding.partition(": ")[0] for finding in findings] == [
        "user/templates/runtime/a.py",
        "acme/templates/c",
        "acme/templates/runtime/b.py",
    ]


def test_a_bug_of_ours_is_no_finding() -> None:
    """An error in a built-in template goes on: no user can mend it."""
    broken = {**built_in().files, ERRORS: b"{{ no_such }}"}
    layers = Layers(())
    layers.order = (Layer("built-in", "ours", broken),)

    with pytest.raises(Exception, match="no_such") as raised:
        render(plan(), layers=layers)
    assert not isinstance(raised.value, InputError)


def test_templates_share_what_is_never_emitted() -> None:
    files = {
        "shared/names.j2": "{% macro shout(name) %}{{ name | upper }}{% endmacro %}",
        "extra/NAME.j2": '{% import "shared/names.j2" as names %}{{ names.shout(name) }}\n',
    }

    after = emitted(layer("acme", files))

    assert text(after, "NAME") == "GOLDEN\n"
    assert after.keys() - emitted().keys() == {"NAME"}


@pytest.mark.parametrize(("name", "block"), BLOCKS)
def test_the_source_of_each_block_is_found(name: str, block: str) -> None:
    source = block_text(built_in().files[name].decode(), block)

    assert source is not None
    assert source.startswith(f"{{% block {block}")
    assert source.count("{% block") == source.count("{% endblock")


def test_the_source_of_a_block_is_no_other_text() -> None:
    source = "{# {% block a %} #}{% raw %}{% block a %}{% endraw %}{%- block a -%}x{% block b %}y{% endblock b %}{% endblock %}z"

    assert block_text(source, "a") == "{%- block a -%}x{% block b %}y{% endblock b %}{% endblock %}"
    assert block_text(source, "b") == "{% block b %}y{% endblock b %}"
    assert block_text(source, "c") is None
