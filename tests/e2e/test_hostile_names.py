"""Text of a contract and a spec stays text in every emitted language, whatever it holds."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.projects import holdfast, import_everything, in_project

# What must not reach a file as it is: control characters, direction marks, line separators, byte order marks.
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")

PLAIN = ("plain words",) * 22
HOSTILE = (
    '"""',
    "'''",
    '"""\nimport os\nos.abort()\n"""',
    "ends with a backslash \\",
    'ends with quotes ""',
    '\\"""',
    "\\N{BELL} \\x07 \\u202e \\",
    "{{ 7 * 7 }}",
    "{% include '/etc/passwd' %}",
    "{# a comment #}",
    "{%- endraw -%}{{ self }}",
    "right to left: \u202e \u2066 \u200f",
    "a separator: \u2028 and \u2029 and \x85",
    "control: \x07 \x1b[31m \x7f \x9b",
    "\ufeffmark",
    "| a cell | another |\n|---|---|",
    "<script>alert(1)</script> `rm -rf` [x](javascript:y)",
    "${{ secrets.TOKEN }} $(id) `id` %s %(x)s",
    "# not a comment\n# nor this",
    "- item\n  key: [value",
    "]]> --> */",
    "\tindented\f\v",
)


def _comment(text: str, indent: str = "") -> str:
    return "".join(f"{indent}// {line}\n" for line in re.split("\n", text))


def _string(text: str) -> str:
    """A string literal of proto: every byte that is not plain is escaped."""
    return '"' + "".join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\' else f"\\{b:03o}" for b in text.encode()) + '"'


def _contract(texts: tuple[str, ...]) -> str:
    rpcs = "".join(
        f"{_comment(text, '  ')}  rpc Do{number}(Thing) returns (Thing);\n" for number, text in enumerate(texts)
    )
    fields = "".join(
        f"{_comment(text, '  ')}  string f{number} = {number + 1} [json_name = {_string(f'j{number}{text}')}];\n"
        for number, text in enumerate(texts)
    )
    values = "".join(f"{_comment(text, '  ')}  V{number} = {number};\n" for number, text in enumerate(texts))
    first, second = texts[0], texts[2]
    segment = "".join(f"%{byte:02X}" for byte in second.encode())
    return f"""\
{_comment(first)}
syntax = "proto3";
{_comment(second)}
package hostile.v1;
import "google/api/annotations.proto";
import "google/protobuf/descriptor.proto";
option java_package = {_string(second)};
extend google.protobuf.MethodOptions {{ string note = 50000; }}
{_comment(second)}
service Hostile {{
{rpcs}
  {_comment(second)}
  rpc Routed(Thing) returns (Thing) {{
    option (note) = {_string(second)};
    option (google.api.http) = {{
      post: "/v1/{segment}/{{f0}}"
      body: "*"
    }};
    option deprecated = true;
  }} {_comment(first)}
}}
{_comment(second)}
message Thing {{
{fields}
}}
{_comment(second)}
enum Value {{
{values}
}}
"""


def _spec(texts: tuple[str, ...]) -> str:
    # A spec with control characters is refused; what is left of the text is still odd enough.
    shown = ["".join(c for c in text if c.isprintable() or c in "\u202e\u2066\u200f\u2028\ufeff") for text in texts]
    table = {
        f"ROW_{number}": {
            "grpc": "ABORTED",
            "message": {"en": text.replace("{", "{{").replace("}", "}}") + " {sku}", "zh": "{sku}"},
        }
        for number, text in enumerate(shown)
    }
    document = {
        "apiVersion": "resilience.sre.io/v1",
        "kind": "ServiceResiliencePolicy",
        "metadata": {"name": "hostile", "labels": {"team": shown[2]}},
        "spec": {"errors": {"table": table}},
    }
    return json.dumps(document)


def _emitted(folder: Path, texts: tuple[str, ...]) -> Path:
    folder.mkdir()
    (folder / "hostile.proto").write_text(_contract(texts), newline="")
    (folder / "spec.yaml").write_text(_spec(texts))
    description = "".join(c for c in texts[2] if c.isprintable())
    inputs = ["--contract", "hostile.proto", "--spec", "spec.yaml", "--set", f"description={description}"]
    done = holdfast("new", "hostile", "--defaults", *inputs, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "hostile"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _emitted(tmp_path_factory.mktemp("twins") / "plain", PLAIN)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _emitted(tmp_path_factory.mktemp("twins") / "hostile", HOSTILE)


def _files(project: Path, *suffixes: str) -> Mapping[str, str]:
    """What was emitted, by path; the inputs are the user's own words, as they are."""
    return {
        str(path.relative_to(project)): path.read_text()
        for path in sorted(project.rglob("*"))
        if path.is_file()
        and path.suffix in suffixes
        and path.relative_to(project).parts[0] not in ("contract", "resilience.yaml")
    }


def _shape(source: str, *, numbers: bool) -> str:
    """The syntax tree without what its literals say."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and (
            isinstance(node.value, (str, bytes)) or (numbers and isinstance(node.value, int))
        ):
            node.value = 0
    return ast.dump(tree)


def test_no_text_became_code(plain: Path, hostile: Path) -> None:
    expected, emitted = _files(plain, ".py", ".pyi"), _files(hostile, ".py", ".pyi")
    assert sorted(emitted) == sorted(expected)
    for path, source in emitted.items():
        descriptor = path.endswith("_pb2.py")  # its literals say how long the serialized contract is
        assert _shape(source, numbers=descriptor) == _shape(expected[path], numbers=descriptor), path


def test_no_text_became_structure(plain: Path, hostile: Path) -> None:
    for suffix, parse in ((".toml", tomllib.loads), (".yml", yaml.safe_load), (".json", json.loads)):
        expected = _files(plain, suffix)
        for path, text in _files(hostile, suffix).items():
            named = suffix == ".json"
            assert _keys(parse(text), named=named) == _keys(parse(expected[path]), named=named), path


def _keys(value: Any, *, named: bool = False) -> Any:
    """What a document is made of, without its texts; `named` where they are keys too, as fields are in OpenAPI."""
    if isinstance(value, dict) and named:
        return sorted((_keys(item, named=True) for item in value.values()), key=repr)
    if isinstance(value, dict):
        return {key: _keys(item) for key, item in value.items()}
    return [_keys(item, named=named) for item in value] if isinstance(value, list) else None


def test_no_text_became_a_row_or_a_column_of_a_page(plain: Path, hostile: Path) -> None:
    expected = _files(plain, ".md")
    for path, text in _files(hostile, ".md").items():
        assert _cells(text) == _cells(expected[path]), path


def _cells(page: str) -> list[int]:
    return [len(re.findall(r"(?<!\\)\|", line)) for line in page.split("\n")]


def test_no_file_holds_what_a_reader_cannot_see(hostile: Path) -> None:
    for path, text in _files(hostile, ".py", ".pyi", ".md", ".toml", ".yml", ".yaml", ".json", ".jinja", "").items():
        assert UNSEEN.search(text) is None, path


def test_no_template_ran_over_a_text(hostile: Path) -> None:
    readme = (hostile / "README.md").read_text()
    handler = (hostile / "src" / "hostile" / "handlers" / "hostile.py").read_text()
    assert "{{ 7 * 7 }}" in handler
    assert "49" not in readme + handler


def test_the_texts_come_back_as_they_were(hostile: Path) -> None:
    program = "from hostile.gen.routes import ROUTES; print(ascii(ROUTES[0].segments))"
    segments = ast.literal_eval(in_project(hostile, "-c", program))
    assert segments == ("v1", HOSTILE[2], "*")
    program = "from hostile.gen.errors import Row7; print(ascii(str(Row7(sku=1).row.messages['en'])))"
    assert ast.literal_eval(in_project(hostile, "-c", program)) == "{{{{ 7 * 7 }}}} {sku}"


def test_the_project_works(hostile: Path) -> None:
    import_everything(hostile, "hostile")
    in_project(hostile, "-m", "black", "--check", "--quiet", ".")
    in_project(hostile, "-m", "ruff", "check", "--no-cache", ".")
    in_project(
        hostile, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", "-x", "-k", "not deadline and not drain"
    )


def test_what_is_printed_drives_no_terminal(hostile: Path) -> None:
    for arguments in (["explain"], ["explain", "--format", "json"], ["check"], ["generate", "--diff"]):
        done = holdfast(*arguments, "--project", hostile)
        assert done.returncode == 0, done.stderr
        assert UNSEEN.search(done.stdout + done.stderr) is None
