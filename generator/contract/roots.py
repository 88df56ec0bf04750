"""Turns the contract files a user names into import paths and the folders they are found in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from generator.contract.model import Contract
from generator.contract.sources import Sources, absolute, is_import_path, shown, sources
from generator.errors import Finding, InputError, Place

_COMMENT_OR_STRING = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)
_PACKAGE = re.compile(r"(?:^|[;}])\s*package\s+([A-Za-z_][\w.\s]*?)\s*;")
_IMPORT = re.compile(r"(?:^|[;}])\s*import\s+(?:public\s+|weak\s+|option\s+)?[\"']([^\"'\n]+)[\"']\s*(?=;)")


@dataclass(frozen=True, slots=True)
class Inputs:
    """What to load: `load(inputs.roots, inputs.include)`."""

    roots: tuple[str, ...]  # import paths, in the order the files were named
    include: tuple[Path, ...]  # the user's folders, then those worked out from the files

    def copies(self, contract: Contract) -> list[tuple[str, Path]]:
        """The import path and file of everything `contract` needs that no installed package brings."""
        within = sources(self.include)
        found = ((path, within.find(path)) for path in contract.files if path not in within.provided)
        return [(path, source) for path, source in found if source is not None]


@dataclass(frozen=True, slots=True)
class _Declared:
    """What a .proto file says about where it belongs."""

    package: tuple[str, ...]
    imports: tuple[str, ...]


def resolve_inputs(files: Sequence[str], include: Sequence[Path]) -> Inputs:
    """The import paths of `files`, each a path on disk or an import path, and the folders to find them in.

    A file inside an `include` folder is imported relative to the first that holds it; a provided one as what it is
    known as. Any other file is imported relative to the folder that its package makes the root ("a/b/x.proto" of
    package b: "a"), or else to its own folder; when what it imports is not found from there, to the nearest folder
    above from which it is. Raises InputError with every file and folder that cannot be used.
    """
    findings = [
        Finding(Place(shown(folder)), "include-not-a-folder", "there is no such folder", "-I takes a folder")
        for folder in include
        if not folder.is_dir()
    ]
    within = sources(include)
    named: list[str | Path] = []
    for name in dict.fromkeys(files):
        try:
            named.append(_existing(name, within))
        except InputError as error:
            findings.extend(error.findings)
    if findings:
        raise InputError(findings)
    roots = _roots([item for item in named if isinstance(item, Path)], within)
    inputs = Inputs(
        tuple(dict.fromkeys(item if isinstance(item, str) else _relative(item, roots[item]) for item in named)),
        tuple(dict.fromkeys([*within.include, *roots.values()])),
    )
    found = Sources(within.provided, inputs.include)
    if findings := [finding for path, folder in roots.items() for finding in _unusable(path, folder, found)]:
        raise InputError(findings)
    return inputs


def _existing(name: str, within: Sources) -> str | Path:
    """The import path that `name` is, or the file on disk, absolute. Raises InputError when it is neither."""
    path = Path(name)
    try:
        if path.is_dir():
            hint = "name the .proto files in it"
            raise InputError.one(Place(shown(path)), "contract-not-a-file", "this is a folder", hint)
        if path.exists():
            whole = absolute(path)
            return next((known for known, source in within.provided.items() if source == whole), whole)
    except (OSError, ValueError) as error:
        raise InputError.one(Place(name), "contract-not-readable", str(error)) from error
    if within.find(name) is None:
        searched = "".join(f"{shown(folder)}, " for folder in within.include)
        hint = f"searched as an import path too, in {searched}protobuf and googleapis-common-protos"
        raise InputError.one(Place(name), "contract-not-found", "there is no such file", hint)
    return name


def _roots(paths: Sequence[Path], within: Sources) -> dict[Path, Path]:
    """The folder that each of `paths` is imported relative to."""
    roots: dict[Path, Path] = {}
    loose: dict[Path, _Declared] = {}
    for path in paths:
        folder = next((folder for folder in within.include if path.is_relative_to(folder)), None)
        if folder is None:
            loose[path] = _declared(path)
        roots[path] = folder or path.parent
    by_package = {path: root for path, says in loose.items() if (root := _package_root(path, says.package))}
    for path, says in loose.items():
        guess = by_package.get(path) or next((root for root in by_package.values() if path.is_relative_to(root)), None)
        above = (guess or path.parent, *path.parents)
        roots[path] = next((folder for folder in above if _all_found(says.imports, folder, within)), above[0])
    return roots


def _declared(path: Path) -> _Declared:
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise InputError.one(Place(shown(path)), "contract-not-readable", error.strerror or str(error)) from error
    statements = _COMMENT_OR_STRING.sub(lambda found: " " if found[0].startswith("/") else found[0], text).strip()
    package = _PACKAGE.search(_COMMENT_OR_STRING.sub(" ", statements))
    return _Declared(
        tuple(re.sub(r"\s", "", package[1]).split(".")) if package else (),
        tuple(_IMPORT.findall(statements)),
    )


def _package_root(path: Path, package: tuple[str, ...]) -> Path | None:
    """The folder above those that spell the package, None when they do not."""
    folder = path.parent
    return folder.parents[len(package) - 1] if package and folder.parts[-len(package) :] == package else None


def _all_found(imports: Sequence[str], folder: Path, within: Sources) -> bool:
    here = Sources(within.provided, (*within.include, folder))
    return all(here.find(path) for path in imports)


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _unusable(path: Path, folder: Path, found: Sources) -> Iterator[Finding]:
    """What keeps `path`, imported relative to `folder`, from being read as what the user named."""
    import_path = _relative(path, folder)
    if path.suffix != ".proto" or not is_import_path(import_path):
        hint = "use letters, digits, _, - and ., with / between folders, and end in .proto"
        message = f'"{import_path}" cannot become a Python module'
        yield Finding(Place(shown(path)), "contract-file-name", message, hint)
        return
    first = found.find(import_path)
    if first is not None and import_path not in found.provided and not first.samefile(path):
        message = f'"{import_path}" is read from {shown(first)} instead'
        hint = "name the folder that both are relative to with -I, or rename one"
        yield Finding(Place(shown(path)), "contract-hidden", message, hint)
