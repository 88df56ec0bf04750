"""[tool.holdfast] is read with a line for everything that is wrong with it."""

from pathlib import Path

import pytest

from generator.errors import InputError
from generator.project.config import contract_roots, read, service_configs

GOOD = """\
[project]
name = "shop"

[tool.holdfast]
contracts = ["a.proto"]
spec = "resilience.yaml"
package = "shop"
"""


def project(folder: Path, text: str, *protos: str) -> Path:
    (folder / "pyproject.toml").write_text(text)
    for proto in protos:
        (folder / "contract" / proto).parent.mkdir(parents=True, exist_ok=True)
        (folder / "contract" / proto).write_text("")
    return folder


def findings(folder: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        read(folder)
    return [str(finding).removeprefix(str(folder)) for finding in caught.value.findings]


def test_the_settings_are_read(tmp_path: Path) -> None:
    config = read(project(tmp_path, GOOD))

    assert (config.name, config.package, config.contracts, config.spec) == (
        "shop",
        "shop",
        ("a.proto",),
        "resilience.yaml",
    )


@pytest.mark.parametrize(
    ("line", "instead", "expected"),
    [
        ('name = "shop"', 'name = "-shop"', ':2:1: project-name: "-shop" cannot be the name of a Python distribution'),
        ('name = "shop"', "x = 1", ":1: project-config: [project] has no name"),
        ('package = "shop"', 'package = "Shop"', ':7:1: package-name: "Shop" cannot be the name of a Python package'),
        ('package = "shop"', "package = 1", ":7:1: project-config: `package` must be a string"),
        ('["a.proto"]', "[]", ":5:1: project-config: `contracts` is empty"),
        ('["a.proto"]', '"a.proto"', ":5:1: project-config: `contracts` must be a list of strings"),
        ('["a.proto"]', '["../a.proto"]', ':5:1: project-config: "../a.proto" in `contracts` is no path below'),
        ('["a.proto"]', '["/a.proto"]', ':5:1: project-config: "/a.proto" in `contracts` is no path below'),
        ('"resilience.yaml"', '"/etc/passwd"', ':6:1: project-config: "/etc/passwd" is no path inside the project'),
        ("spec =", "  spek =", ":6:3: project-config: unknown key `spek` in [tool.holdfast]"),
        ("spec =", "packs = [1]\nspec =", ":6:1: project-config: `packs` must be a list of strings"),
        ("spec =", 'packs = ["x", "x"]\nspec =', ':6:1: project-config: "x" is in `packs` twice'),
        ("spec =", "service-config = 1\nspec =", ":6:1: project-config: `service-config` must be a list of strings"),
        (
            "spec =",
            'service-config = ["/x.yaml"]\nspec =',
            ':6:1: project-config: "/x.yaml" in `service-config` is no ',
        ),
        ("[tool.holdfast]", "[tool.other]", ": no-project: it has no table [tool.holdfast]"),
        ('name = "shop"', "name = ", ":2:8: project-config: Invalid value"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, line: str, instead: str, expected: str) -> None:
    told = findings(project(tmp_path, GOOD.replace(line, instead)))

    assert any(finding.startswith(f"/pyproject.toml{expected}") for finding in told), told


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = '[project]\nname = "_"\n[tool.holdfast]\ncontracts = 1\nspec = 2\npackage = "class"\nnonsense = 3\n'

    assert len(findings(project(tmp_path, text))) == 5


def test_packs_keep_the_order_they_are_named_in(tmp_path: Path) -> None:
    assert read(project(tmp_path, GOOD)).packs == ()
    assert read(project(tmp_path, GOOD + 'packs = ["./b", "a"]\n')).packs == ("./b", "a")


def test_service_configurations_lie_below_contract(tmp_path: Path) -> None:
    config = read(project(tmp_path, GOOD + 'service-config = ["a.yaml", "contract/b.yaml", "a.yaml"]\n'))

    assert service_configs(config) == ("contract/a.yaml", "contract/b.yaml")


def test_a_folder_without_a_project_is_told(tmp_path: Path) -> None:
    assert findings(tmp_path) == [
        ": no-project: there is no pyproject.toml; run it in a project's folder, or name one with --project"
    ]


@pytest.mark.parametrize(
    ("contracts", "roots"),
    [
        ('["a/x.proto"]', ("a/x.proto",)),
        ('["contract/a/x.proto"]', ("a/x.proto",)),
        ('["a/*.proto"]', ("a/w.proto", "a/x.proto")),
        ('["**/*.proto", "a/x.proto"]', ("a/w.proto", "a/x.proto", "b.proto")),
        ('["contract/**/*.proto"]', ("a/w.proto", "a/x.proto", "b.proto")),
        ('["google/longrunning/operations.proto"]', ("google/longrunning/operations.proto",)),
    ],
)
def test_contracts_are_files_globs_or_provided(tmp_path: Path, contracts: str, roots: tuple[str, ...]) -> None:
    folder = project(tmp_path, GOOD.replace('["a.proto"]', contracts), "a/x.proto", "a/w.proto", "b.proto", "a/n.txt")

    assert contract_roots(folder, read(folder)) == roots


@pytest.mark.parametrize("pattern", ["c/*.proto", "a**b", "[x"])
def test_a_glob_that_matches_nothing_is_told(tmp_path: Path, pattern: str) -> None:
    folder = project(tmp_path, GOOD.replace("a.proto", pattern), "a/x.proto")

    with pytest.raises(InputError, match="matches no"):
        contract_roots(folder, read(folder))
