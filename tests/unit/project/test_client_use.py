"""What is said of user code that does not do with the clients of dependencies what the spec counts on."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from generator.project.checking import check
from generator.project.generating import generate
from generator.project.new import Request, new
from generator.project.settled import settled

SPEC = """\
spec:
  dependencies:
    fx:
      protocol: http
      target: https://fx.internal
      methods:
        GET /rates/{base}: {fallback: {kind: handler, handler: rates}}
        POST /orders: {idempotency: {}}
    plain: {protocol: http, target: "https://plain.internal"}
"""
APP, OWN, HANDLER = "src/demo/app.py", "src/demo/fallbacks.py", "src/demo/handlers/greeter.py"
NOT_WIRED = (
    "fallbacks-not-wired: app.py does not hand over what calls to fx fall back on: the service will not start; "
    "give Application fallbacks=[FxFallbacks()]"
)
MISSING = (
    "fallback-missing: FxFallbacks has no rates, which calls to fx fall back on; "
    "add `async def rates(self, request: HttpRequest) -> HttpResponse`"
)
UNUSED = "resilience.yaml:7:9: operation-unused: no request to fx is GET /rates/{base}"
FILLED_IN = (
    "operation-filled-in: the path is filled in here, so that nothing which the spec says of GET /rates/{base} holds for it; "
    'call .get("/rates/{base}", path={…})'
)
CALLS = """
async def use(clients, base):
    {}
    await clients.fx.post("/orders", {{}})
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    (folder / "spec.yaml").write_text(SPEC)
    _, warnings = new(Request(folder / "demo", spec=folder / "spec.yaml"))
    assert warnings == (), "nothing is called yet"
    return folder / "demo"


def said(project: Path, edits: Mapping[str, tuple[str, str]]) -> list[str]:
    """What `check` and `generate` note of the project with these edits; nothing else may be wrong."""
    before = {file: (project / file).read_text() for file in edits}
    try:
        for file, (old, new_text) in edits.items():
            assert old in before[file]
            (project / file).write_text(before[file].replace(old, new_text, 1))
        code, findings, notes = check(project)
        assert (code, findings) == (0, ())
        assert generate(project).changes.notes == notes
        assert (settled(project) is None) == bool(notes), "a run that does nothing may keep nothing back"
        return [str(note).replace(f"{project}/", "") for note in notes]
    finally:
        for file, text in before.items():
            (project / file).write_text(text)


def test_a_project_as_it_was_made_has_nothing_to_be_said_of(project: Path) -> None:
    assert said(project, {}) == []


def test_fallbacks_that_app_py_does_not_hand_over_are_told_at_the_line_that_should(project: Path) -> None:
    text = (project / APP).read_text()
    line = text[: text.index("yield Application(")].count("\n") + 1
    without = {APP: ("        fallbacks=[FxFallbacks()],\n", "")}
    assert said(project, {**without, OWN: ("class", "class")}) == [], "an import is a mention"
    without[APP] = ("fallbacks=[FxFallbacks()],", "fallbacks=[],")
    app = text.replace("from .fallbacks import FxFallbacks\n", "")
    assert said(project, {APP: (text, app.replace("fallbacks=[FxFallbacks()],", ""))}) == [
        f"{APP}:{line - 1}: {NOT_WIRED}"
    ]
    assert said(project, {APP: (text, app.replace("[FxFallbacks()]", "made()"))}) == []
    assert said(project, {APP: (text, app.replace("fallbacks=[FxFallbacks()]", "**given"))}) == []


def test_fallbacks_that_nobody_has_written_are_told_with_the_base_to_derive_from(project: Path) -> None:
    (told,) = said(project, {OWN: ("(FxFallbacksBase)", "")})
    assert "fallbacks-not-wired" in told
    assert "write a subclass of FxFallbacksBase" in told


def test_a_method_that_calls_fall_back_on_and_nobody_has_written_is_told_at_its_class(project: Path) -> None:
    own = (project / OWN).read_text()
    line = own[: own.index("class FxFallbacks")].count("\n") + 1
    assert said(project, {OWN: ("def rates(", "def rates_(")}) == [f"{OWN}:{line}: {MISSING}"]
    derived = "\n\nclass Derived(FxFallbacks):\n    async def rates(self, request): ...\n"
    assert said(project, {OWN: (own, own.replace("def rates(", "def rates_(") + derived)}) == []
    assert said(project, {OWN: (own, own.replace("def rates(", "def _(").replace("(Fx", "(Mixin, Fx"))}) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('await clients.fx.get("/rates/{base}", path={"base": base})', None),
        ('await clients.fx.get("/rates/{currency}", path={"currency": base})', None),
        ('await clients.fx.request("GET", "/rates/{base}", path={"base": base})', None),
        ('TEMPLATE = "/rates/{x}"', None),
        ("pass", f"{UNUSED}; call it, or remove it"),
        (
            'await clients.fx.get("/rate/{base}", path={"base": base})',
            f"{UNUSED}; {HANDLER}:LINE calls GET /rate/{{base}}: is that meant?",
        ),
        (
            'await clients.fx.get(f"/rates/{base}")',
            f"{HANDLER}:LINE: {FILLED_IN}",
        ),
    ],
)
def test_an_operation_that_no_request_is_of_is_told(project: Path, line: str, expected: str | None) -> None:
    text = (project / HANDLER).read_text()
    number = text.count("\n") + 3
    found = said(project, {HANDLER: (text, text + CALLS.format(line))})
    assert found == ([] if expected is None else [expected.replace("LINE", str(number))])


def test_of_a_client_that_is_not_called_yet_nothing_is_said(project: Path) -> None:
    text = (project / HANDLER).read_text()
    assert said(project, {HANDLER: (text, text + '\n\nasync def use(clients): await clients.plain.get("/x")\n')}) == []


def test_code_that_does_not_parse_says_nothing(project: Path) -> None:
    assert said(project, {APP: ("fallbacks=[FxFallbacks()],", "fallbacks=[")}) == []
