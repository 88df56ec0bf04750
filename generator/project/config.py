"""`[tool.holdfast]` of a project's pyproject.toml: what the project is generated from."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from generator.breaking.rule import Category
from generator.errors import Finding, InputError, Place
from generator.project.names import name_findings, package_findings
from generator.project.paths import cannot, is_project_path, shown

FILE = "pyproject.toml"
CONTRACT_FOLDER = "contract"

_KEYS = frozenset({"breaking", "contracts", "spec", "package", "packs", "service-config"})
_CATEGORIES = MappingProxyType({**{category.value: category for category in Category}, "NONE": None})
_AT = re.compile(r" \(at line (\d+), column (\d+)\)")


@dataclass(frozen=True, slots=True)
class Config:
    """A project's settings, checked; `contracts`, `service_configs` and `packs` are as written."""

    name: str
    package: str
    contracts: tuple[str, ...]
    spec: str  # relative to the project
    service_configs: tuple[str, ...]
    packs: tuple[str, ...]
    contracts_place: Place
    packs_place: Place
    breaking: Category | None = Category.FILE  # how much must stay as it is; None for nothing


def read(project: Path) -> Config:
    """The configuration of the project in that folder. Raises InputError with all that is wrong with it."""
    document, table, lines = _parsed(project)
    return _checked(document, table, lines)


def _parsed(project: Path) -> tuple[Mapping[str, Any], Mapping[str, Any], _Lines]:
    place = Place(shown(project, FILE))
    try:
        text = (project / FILE).read_bytes().decode()
        document = tomllib.loads(text)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError.one(
            Place(str(project)),
            "no-project",
            f"there is no {FILE}",
            "run it in a project's folder, or name one with --project",
        ) from None
    except OSError as error:
        raise InputError([cannot(project / FILE, "read", error)]) from None
    except UnicodeDecodeError as error:
        raise InputError.one(place, "project-config", f"it is not UTF-8: {error.reason}") from None
    except tomllib.TOMLDecodeError as error:
        at = _AT.search(str(error))
        where = Place(place.file, int(at[1]), int(at[2])) if at else place
        raise InputError.one(where, "project-config", _AT.sub("", str(error))) from None
    tool = document.get("tool")
    table = tool.get("holdfast") if isinstance(tool, dict) else None
    if not isinstance(table, dict):
        raise InputError.one(place, "no-project", "it has no table [tool.holdfast]", "was it made by `holdfast new`?")
    return document, table, _Lines(place.file, text)


@dataclass(frozen=True, slots=True)
class _Lines:
    """Finds the line that sets a key: tomllib keeps no positions."""

    file: str
    text: str

    def of(self, key: str, table: str = "tool.holdfast") -> Place:
        """The line of `key` in `[table]`, or the table's own, or the file."""
        line_of_table, inside = 0, False
        for number, line in enumerate(self.text.split("\n"), 1):
            if line.lstrip().startswith("["):
                inside = line.split("#")[0].strip().replace(" ", "") == f"[{table}]"
                line_of_table = number if inside else line_of_table
            elif inside and re.match(rf"""\s*["']?{re.escape(key)}["']?\s*=""", line):
                return Place(self.file, number, len(line) - len(line.lstrip()) + 1)
        return Place(self.file, line_of_table)


def identity(project: Path) -> tuple[str, str]:
    """The project's name and package. Raises InputError where one cannot be such a name."""
    document, table, lines = _parsed(project)
    name, package, findings = _identity(document, table, lines)
    if findings:
        raise InputError(findings)
    return name, package


def _identity(document: Mapping[str, Any], table: Mapping[str, Any], lines: _Lines) -> tuple[str, str, list[Finding]]:
    findings: list[Finding] = []
    project = document.get("project")
    name = project.get("name") if isinstance(project, dict) else None
    if isinstance(name, str):
        findings += name_findings(name, lines.of("name", "project"))
    else:
        findings.append(Finding(lines.of("name", "project"), "project-config", "[project] has no name"))
    package = table.get("package")
    if isinstance(package, str):
        findings += package_findings(package, lines.of("package"))
    else:
        findings.append(Finding(lines.of("package"), "project-config", "`package` must be a string"))
    return str(name), str(package), findings


def _checked(document: Mapping[str, Any], table: Mapping[str, Any], lines: _Lines) -> Config:
    name, package, findings = _identity(document, table, lines)
    findings += _misused_keys(table, lines)
    contracts = table.get("contracts")
    if not isinstance(contracts, list) or not all(isinstance(entry, str) for entry in contracts):
        findings.append(Finding(lines.of("contracts"), "project-config", "`contracts` must be a list of strings"))
        contracts = []
    elif not contracts:
        hint = f"name the root .proto files below {CONTRACT_FOLDER}/"
        findings.append(Finding(lines.of("contracts"), "project-config", "`contracts` is empty", hint))
    for entry in contracts:
        if not is_project_path(entry):
            message = f'"{entry}" in `contracts` is no path below {CONTRACT_FOLDER}/'
            findings.append(Finding(lines.of("contracts"), "project-config", message))
    configs, wrong = _service_configs(table, lines)
    packs, misnamed = _packs(table, lines)
    findings += [*wrong, *misnamed]
    spec = table.get("spec")
    if not isinstance(spec, str):
        findings.append(Finding(lines.of("spec"), "project-config", "`spec` must be a string"))
    elif not is_project_path(spec):
        findings.append(Finding(lines.of("spec"), "project-config", f'"{spec}" is no path inside the project'))
    breaking = str(table.get("breaking", Category.FILE.value))
    if breaking not in _CATEGORIES:
        known = ", ".join(_CATEGORIES)
        findings.append(Finding(lines.of("breaking"), "project-config", f"`breaking` must be one of {known}"))
    if findings:
        raise InputError(findings)
    places = lines.of("contracts"), lines.of("packs")
    return Config(name, package, tuple(contracts), str(spec), configs, packs, *places, _CATEGORIES[breaking])


def _service_configs(table: Mapping[str, Any], lines: _Lines) -> tuple[tuple[str, ...], list[Finding]]:
    entries, place = table.get("service-config", []), lines.of("service-config")
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        return (), [Finding(place, "project-config", "`service-config` must be a list of strings")]
    return tuple(entries), [
        Finding(place, "project-config", f'"{entry}" in `service-config` is no path below {CONTRACT_FOLDER}/')
        for entry in entries
        if not is_project_path(entry)
    ]


def _packs(table: Mapping[str, Any], lines: _Lines) -> tuple[tuple[str, ...], list[Finding]]:
    entries, place = table.get("packs", []), lines.of("packs")
    if not isinstance(entries, list) or not all(isinstance(entry, str) and entry for entry in entries):
        return (), [Finding(place, "project-config", "`packs` must be a list of strings")]
    twice = sorted({entry for entry in entries if entries.count(entry) > 1})
    return tuple(entries), [Finding(place, "project-config", f'"{entry}" is in `packs` twice') for entry in twice]


def _misused_keys(table: Mapping[str, Any], lines: _Lines) -> Iterator[Finding]:
    for key in table:
        if key not in _KEYS:
            hint = f"known keys: {', '.join(sorted(_KEYS))}"
            yield Finding(lines.of(key), "project-config", f"unknown key `{key}` in [tool.holdfast]", hint)


def contract_roots(project: Path, config: Config) -> tuple[str, ...]:
    """The import paths of the root .proto files that `contracts` names, globs expanded, in order.

    An entry is relative to `contract/`; from the project's folder (`contract/a.proto`) it is understood too. One that
    matches no file is an import path that an installed package may provide: loading the contract tells. Raises
    InputError for a glob that matches nothing.
    """
    folder = project / CONTRACT_FOLDER
    roots: dict[str, None] = {}
    findings = []
    for entry in config.contracts:
        if not any(character in entry for character in "*?["):
            roots[_import_path(folder, entry)] = None
            continue
        matches = _glob(folder, entry) or _glob(folder, entry.removeprefix(f"{CONTRACT_FOLDER}/"))
        if not matches:
            message = f'"{entry}" in `contracts` matches no .proto file below {CONTRACT_FOLDER}/'
            findings.append(Finding(config.contracts_place, "contract-not-found", message))
        roots.update(dict.fromkeys(matches))
    if findings:
        raise InputError(findings)
    return tuple(roots)


def service_configs(config: Config) -> tuple[str, ...]:
    """The service configurations, relative to the project; as for `contracts`, `contract/` may be left out."""
    entries = (entry.removeprefix(f"{CONTRACT_FOLDER}/") for entry in config.service_configs)
    return tuple(f"{CONTRACT_FOLDER}/{entry}" for entry in dict.fromkeys(entries))


def settings(config: Config) -> bytes:
    """All that the configuration says, the same for the same settings however they are written."""
    return repr(
        (config.name, config.package, config.contracts, config.spec, config.service_configs, config.packs)
    ).encode()


def _import_path(folder: Path, entry: str) -> str:
    below = entry.removeprefix(f"{CONTRACT_FOLDER}/")
    return below if below != entry and not (folder / entry).is_file() else entry


def _glob(folder: Path, pattern: str) -> list[str]:
    try:
        found = [path.relative_to(folder).as_posix() for path in folder.glob(pattern) if path.is_file()]
    except ValueError:  # `**` beside other characters
        return []
    return sorted(path for path in found if path.endswith(".proto"))
