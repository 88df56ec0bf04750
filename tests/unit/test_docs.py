"""The documentation says what is so: links lead somewhere, commands exist, specs are specs, and every finding is there."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from jinja2.defaults import DEFAULT_FILTERS

from generator import cli, resources
from generator.errors import InputError
from generator.plan.explain import to_text
from generator.project.build import plan_of
from generator.project.changes import Fault
from generator.render import reference
from generator.render.environment import environment
from generator.render.layers import built_in_alone
from generator.spec.fields import fields
from generator.spec.findings import shape_at
from generator.spec.load import load_text
from generator.spec.model import ResilienceSpec, SpecBody

ROOT = resources.root()
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
ID = re.compile(r"[a-z]+(-[a-z0-9]+)+")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def prose(page: Path) -> str:
    """The page without its code blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def blocks(page: Path, *languages: str) -> list[str]:
    """The page's code blocks in one of these languages."""
    return [text for language, text in FENCE.findall(page.read_text(encoding="utf-8")) if language in languages]


def spans(page: Path) -> list[str]:
    """The page's code spans."""
    return [" ".join(text.split()) for _, text in SPAN.findall(prose(page))]


def anchors(page: Path) -> set[str]:
    """The anchors of the page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in LINK.findall(prose(page)):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", path):
            continue
        file = page.parent / path if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert not broken


@each_page
def test_tables_are_whole(page: Path) -> None:
    """A row after an empty line is no row but a paragraph with bars in it."""
    starts = re.findall(r"(?:^|\n)\n(\|.*)\n(.*)", prose(page))
    assert [row for row, below in starts if not re.fullmatch(r"\|(:?-+:?\|)+", below.replace(" ", ""))] == []


@each_page
def test_commands_in_examples_exist(page: Path) -> None:
    for block in blocks(page, "console"):
        for line in re.findall(r"(?:^\$ |\()(holdfast [^|)\n]*)", block.replace("\\\n", ""), re.MULTILINE):
            assert not refused(shlex.split(line, comments=True)[1:]), line


@each_page
def test_commands_in_the_text_exist(page: Path) -> None:
    for span in spans(page):
        words = span.split()
        if words[0] != "holdfast" or len(words) < 2:
            continue
        known = [cli.command]
        if words[1].islower() and not words[1].startswith("-"):
            assert words[1] in cli.command.commands, span
            known.append(cli.command.commands[words[1]])
            known += getattr(known[-1], "commands", {}).values()
        options = {
            option
            for one in known
            for parameter in one.params
            for option in [*parameter.opts, *parameter.secondary_opts]
        }
        assert set(re.findall(r"(?<![\w-])--?[a-zA-Z][a-z-]*", span)) <= options | {"--help"}, span


def refused(arguments: list[str]) -> str:
    """What the command line has against the arguments, "" for nothing; nothing is run."""
    done = CliRunner().invoke(cli.command, [*arguments, "--help"])
    return done.output if done.exit_code else ""


def test_an_example_with_an_unknown_option_would_be_found() -> None:
    assert "No such option" in refused(["generate", "--no-such-option"])
    assert "No such command" in refused(["no-such-command"])


@each_page
def test_specs_in_examples_are_specs(page: Path) -> None:
    for block in blocks(page, "yaml"):
        if re.search(r"^spec:", block, re.MULTILINE):
            load_text(block, page.name)


def test_an_example_with_an_unknown_key_would_be_found() -> None:
    with pytest.raises(InputError):
        load_text("spec:\n  deadlin: {}\n", "example")


@each_page
def test_keys_in_the_text_exist(page: Path) -> None:
    sections = set(fields(SpecBody))
    for span in spans(page):
        steps = span.removeprefix("spec.").split(".")
        looks_like_keys = len(steps) > 1 and all(re.fullmatch(r"[a-z][a-zA-Z]*", step) for step in steps)
        if looks_like_keys and steps[0] in sections and steps[-1] not in ("py", "md", "json", "yaml"):
            assert shape_at(ResilienceSpec, ("spec", *steps)) is not None, span


@each_page
def test_files_of_this_repository_in_the_text_exist(page: Path) -> None:
    ours = re.compile(r"(generator|templates|schemas|examples|tests/(unit|runtime|golden|e2e|corpus))/[\w/.-]*")
    for span in spans(page):
        assert not ours.fullmatch(span) or (ROOT / span).exists(), span


def ids_in_the_code() -> set[str]:
    """Every finding id that the generator can report."""
    found = {fault.name.lower() for fault in Fault}
    for path in sorted((ROOT / "generator").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            found.update(ids_of(node))
    return found


def ids_of(node: ast.AST) -> Iterator[str]:
    """The ids that stand in one expression: `Finding(place, id, …)` and its likes, and `(path, id, message, hint)`."""
    match node:
        case ast.Call(func=ast.Name("cannot") | ast.Attribute(attr="cannot"), args=[_, ast.Constant(str(doing)), *_]):
            yield f"cannot-{doing}"
        case ast.Call(func=ast.Name("Finding") | ast.Attribute(attr="one" | "_report"), args=[_, rule, *_]):
            yield from texts(rule)
        case ast.Tuple(elts=[ast.Constant(str(text)), _, _]) | ast.Tuple(elts=[_, ast.Constant(str(text)), _, _]):
            yield from [text] if ID.fullmatch(text) else []
        case _:
            pass


def texts(node: ast.expr) -> Iterator[str]:
    """The texts that an expression may be; nothing for one that is put together."""
    for part in [] if isinstance(node, ast.JoinedStr) else ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def ids_in_the_page() -> list[str]:
    """The ids in the first column of the tables about the generator's findings."""
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    section = page.partition("## Findings of the generator")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE)
    return [text for cell in cells for text in re.findall("`([^`]+)`", cell)]


def test_every_finding_is_in_the_page_once_and_no_other() -> None:
    listed = ids_in_the_page()
    assert len(listed) == len(set(listed))
    assert set(listed) == ids_in_the_code()


def test_each_example_of_a_finding_has_its_id() -> None:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    for rule, row in re.findall(r"^\| `([a-z-]+)` \|(.*)$", page, re.MULTILINE):
        assert f": {rule}: " in row, rule


def test_the_tables_of_what_templates_see_are_current() -> None:
    page = (ROOT / "docs" / "templates.md").read_text(encoding="utf-8")
    assert reference.update(page) == page, "run `python -m generator.render.reference`"


def test_every_variable_of_a_template_is_described_and_no_other() -> None:
    read = {variable for variables in reference.read_by_templates().values() for variable in variables}
    assert read | reference.EVERYWHERE == set(reference.VARIABLES)


def test_the_filters_of_templates_are_described_and_no_other() -> None:
    table = (ROOT / "docs" / "templates.md").read_text(encoding="utf-8").partition("| Filter |")[2].partition("\n\n")[0]
    ours = environment(built_in_alone()).filters.keys() - DEFAULT_FILTERS.keys()
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == ours


def test_the_explanation_on_the_first_page_is_what_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT / "examples" / "orders" / "project")
    _, plan = plan_of(Path())
    printed = to_text(plan, "CreateOrder").splitlines()

    block = next(text for text in blocks(ROOT / "README.md", "console") if "explain CreateOrder" in text)
    shown = block.partition("explain CreateOrder")[2].splitlines()[1:]

    assert len(shown) > 5
    assert [line for line in shown if line.strip() != "..." and line not in printed] == []
