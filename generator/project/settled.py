"""Whether a project is as its last generation left it, found out from the lock alone: by hashes, in a tenth of a second.

The lock's seal says that the lock is as one generation wrote it, and which generator that was. Where it fits, and every
input and every generated file has the hash in it, the same generation again would write the same. Whatever is not
plainly so is left to a run in full, which also knows how to say what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from generator.errors import InputError, Place
from generator.project import client_use
from generator.project import config as configuration
from generator.project.config import CONTRACT_FOLDER, Config
from generator.project.disk import Disk, orphans
from generator.project.identity import identity, versions
from generator.project.lock import digest, seal
from generator.project.own_code import modules, parsed
from generator.project.packs import OWN, names_below, unchanged
from generator.project.paths import LOCK, is_project_path
from generator.project.transaction import is_interrupted
from generator.project.wiring import unmentioned

SUMMARY = "nothing to do: {} generated files are current"
"""What a run has to say that changes nothing."""

_SEAL = re.compile(rb"seal: (sha256:[0-9a-f]{64})\n")
_SECTION = re.compile(r"(\w+):(?: (.*))?")
_ENTRY = re.compile(r"""  (?:"([^"\\]+)"|([^\s:"]+)):(?: (?:"([^"\\]*)"|([^\s"]+)))?""")
_ATTRIBUTE = re.compile(r"    (\w+):(?: (\S+))?")
_CLASS = re.compile(r"      - class: (\S+)")
_OWNERS = ("managed", "seeded", "appended", "ejected")
_SECTIONS = frozenset({"version", "generator", "tools", "inputs", "files"})
_PACKS = "packs"


@dataclass(slots=True)
class _Entries:
    """What a lock says, as far as it is needed here: tables by section, owners and hashes by path, handler classes."""

    tables: dict[str, dict[str, str]]
    owners: dict[str, str]
    hashes: dict[str, str]
    classes: list[str]


def settled(project: Path) -> int | None:
    """The number of generated files where there is nothing to do and nothing to say, None where that is not known."""
    try:
        entries = _sealed_entries(project)
        if entries is None or is_interrupted(project):
            return None
        config = configuration.read(project)
        if entries.tables["tools"] != versions() or not _inputs_hold(project, config, entries.tables["inputs"]):
            return None
        disk = Disk(project)
        if not _templates_hold(disk, config, entries.tables):
            return None
        if not _files_hold(disk, entries) or any(orphans(disk, config, entries.owners.keys())):
            return None
        if unmentioned(parsed(disk, f"src/{config.package}/app.py"), entries.classes) or _misused(disk, entries):
            return None
    except (InputError, OSError, ValueError):
        return None
    return sum(owner == "managed" for owner in entries.owners.values())


def _misused(disk: Disk, entries: _Entries) -> bool:
    """Whether there is anything to say of what the user's code does with the generated clients."""
    managed = {path for path, owner in entries.owners.items() if owner == "managed"}
    generated = {path: disk.read(path) or b"" for path in managed if "/gen/clients/" in path}
    if not client_use.concerned(generated):
        return False
    return any(client_use.notes(modules(disk, managed), generated, lambda *_: Place("")))


def _sealed_entries(project: Path) -> _Entries | None:
    """The lock's entries, None where the seal does not fit or a line is not as this generator writes it."""
    content = (project / LOCK).read_bytes()
    body, found, rest = content.rpartition(b"seal: ")
    sealed = _SEAL.fullmatch(found + rest)
    if sealed is None or seal(body, identity()).encode() != sealed[1]:
        return None
    return _read(body.decode().split("\n"))


def _read(lines: list[str]) -> _Entries | None:
    entries = _Entries({}, {}, {}, [])
    section = path = ""
    for line in lines:
        if not line or line.startswith("#"):
            continue
        if found := _SECTION.fullmatch(line):
            section = found[1]
            if section not in _SECTIONS and section != _PACKS:
                return None
            entries.tables[section] = {}
        elif found := _ENTRY.fullmatch(line):
            path = found[1] or found[2]
            entries.tables[section][path] = found[3] or found[4] or ""
        elif section != "files":
            return None
        elif found := _ATTRIBUTE.fullmatch(line):
            if found[1] in ("owner", "hash"):
                (entries.owners if found[1] == "owner" else entries.hashes)[path] = found[2] or ""
        elif found := _CLASS.fullmatch(line):
            entries.classes.append(found[1])
    complete = entries.tables.keys() - {_PACKS} == _SECTIONS and entries.owners.keys() == entries.tables["files"].keys()
    return entries if complete and set(entries.owners.values()) <= set(_OWNERS) else None


def _inputs_hold(project: Path, config: Config, inputs: Mapping[str, str]) -> bool:
    """Whether the inputs are those that the lock names, and as it has them."""
    if inputs.get(configuration.FILE) != digest(configuration.settings(config)):
        return False
    files = [path for path in inputs if path != configuration.FILE]
    return _all_named(project, config, set(files)) and all(
        is_project_path(path) and digest((project / path).read_bytes()) == inputs[path] for path in files
    )


def _all_named(project: Path, config: Config, inputs: AbstractSet[str]) -> bool:
    """Whether the lock has every input that the configuration leads to: a glob may find more than it did."""
    roots = (f"{CONTRACT_FOLDER}/{root}" for root in configuration.contract_roots(project, config))
    needed = [root for root in roots if (project / root).exists()]
    return inputs >= {config.spec, *configuration.service_configs(config), *needed}


def _templates_hold(disk: Disk, config: Config, tables: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether there is no template of the project's own that the lock does not have, and every pack is as it was."""
    own = disk.project / OWN
    if own.is_dir() and any(f"{OWN}/{name}" not in tables["inputs"] for name in names_below(own)):
        return False
    return not config.packs or unchanged(disk.project, config, tables.get(_PACKS, {}))


def _files_hold(disk: Disk, entries: _Entries) -> bool:
    """Whether every generated file is there, as it was written."""
    managed = (path for path, owner in entries.owners.items() if owner == "managed")
    return all(is_project_path(path) and disk.digest(path) == entries.hashes.get(path) for path in managed)
