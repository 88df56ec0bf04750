"""The layers of a project's templates: its own, and those of the packs that its pyproject.toml names."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from generator.errors import Finding, InputError, Place, did_you_mean
from generator.project.config import Config
from generator.project.paths import cannot, shown
from generator.render.layers import EXTRA, USER, Layer, Layers

OWN = ".holdfast/templates"
"""Where a project's own templates are, relative to it."""

GROUP = "holdfast.packs"
"""The entry points by which an installed package says that it is a pack: a name, and the package it is in."""

_TEMPLATES = "templates"
_JUNK = frozenset({".DS_Store", ".git"})
_MOST = 16 << 20  # bytes in a pack


@dataclass(frozen=True, slots=True)
class Resolved:
    """The layers, and what the lock keeps of them.

    `pins` has for each pack, as it is named, the commit or the hash of what is in it; `tools` the version of each
    distribution that one came from; `own` the hashes of the project's own templates, by path relative to the project.
    `folders` are those outside the project that were read.
    """

    layers: Layers
    pins: Mapping[str, str]
    tools: Mapping[str, str]
    own: Mapping[str, str]
    folders: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class _Pack:
    """Where a pack was found. `pin` is its commit, "" for one that is known by what is in it."""

    folder: Path
    pin: str = ""
    distribution: tuple[str, str] | None = None


def named(pack: str, place: Place) -> list[Finding]:
    """What is wrong with a folder of a pack as it is named from the current folder."""
    if _is_folder(pack) and not Path(pack).is_dir():
        return [Finding(place, "pack-not-found", f'there is no folder "{pack}"')]
    return []


def seen_from(project: Path, pack: str) -> str:
    """A pack as the project's pyproject.toml has it, of one that is named from the current folder."""
    if not _is_folder(pack) or Path(pack).is_absolute():
        return pack
    return Path(os.path.relpath(Path(pack).resolve(), project.resolve())).as_posix()


def resolve(project: Path, config: Config, pinned: Mapping[str, str], *, destination: Path | None = None) -> Resolved:
    """The layers of the project, topmost first: its own, the packs in the order they are named, the built-in one.

    Folders of packs are relative to `destination` where a project is made elsewhere. `pinned` has the commits to take packs of git repositories from. Raises InputError with what is wrong with any.
    """
    layers: list[Layer] = []
    findings: list[Finding] = []
    pins: dict[str, str] = {}
    tools: dict[str, str] = {}
    folders: list[Path] = []
    own = project / OWN
    try:
        if os.path.lexists(own):
            layers.append(read_layer(USER, own, shown(project, OWN)))
    except InputError as error:
        findings += error.findings
    hashes = {f"{OWN}/{name}": _hash(content) for layer in layers for name, content in layer.files.items()}
    for pack in config.packs:
        try:
            found = _find(
                project if destination is None else destination.resolve(),
                pack,
                config.packs_place,
                pinned.get(pack, ""),
            )
            folder = found.folder / _TEMPLATES
            layer = read_layer(pack, folder, os.path.relpath(folder) if found.pin == "" else str(folder))
        except InputError as error:
            findings += error.findings
            continue
        layers.append(layer)
        folders.append(folder)
        pins[pack] = found.pin or _hash_of(layer)
        if found.distribution:
            tools[found.distribution[0]] = found.distribution[1]
    if findings:
        raise InputError(findings)
    return Resolved(Layers(layers), pins, tools, hashes, tuple(folders))


def _find(project: Path, pack: str, place: Place, pinned: str) -> _Pack:
    if "://" in pack:
        from generator.project import git_pack  # only here: what it needs takes long to import

        folder, commit = git_pack.fetch(pack, place, pinned)
        return _Pack(folder, commit)
    if _is_folder(pack):
        folder = Path(os.path.normpath(project / pack)) if not project.exists() else project / pack
        if not folder.is_dir():
            raise InputError.one(
                place, "pack-not-found", f'there is no folder "{pack}"', "it is relative to the project"
            )
        return _Pack(folder)
    from importlib.metadata import entry_points  # only here: they take long to import
    from importlib.util import find_spec

    known = {point.name: point for point in entry_points(group=GROUP)}
    point = known.get(pack)
    if point is None:
        hint = did_you_mean(pack, known) or f'install it; or, for a folder, write "./{pack}"'
        raise InputError.one(place, "pack-not-found", f'no installed package has a pack "{pack}"', hint)
    spec = find_spec(point.value)
    if spec is None or not spec.submodule_search_locations:
        message = f'the pack "{pack}" is said to be in {point.value}, which is no package'
        raise InputError.one(place, "pack-not-found", message)
    distribution = (point.dist.name, point.dist.version) if point.dist else None
    return _Pack(Path(spec.submodule_search_locations[0]), distribution=distribution)


def _is_folder(pack: str) -> bool:
    return "://" not in pack and (pack.startswith(".") or "/" in pack)


def unchanged(project: Path, config: Config, pins: Mapping[str, str]) -> bool:
    """Whether every pack is known to be what the pins say, without asking git or the installed packages.

    Raises InputError where one cannot be read.
    """
    for pack in config.packs:
        if _is_folder(pack):
            folder = project / pack / _TEMPLATES
            if _hash_of(read_layer(pack, folder, str(folder))) != pins.get(pack):
                return False
        elif "://" not in pack or pack not in pins:
            return False
    return True


def read_layer(name: str, folder: Path, place: str) -> Layer:
    """The templates in a folder. Raises InputError where it cannot be read, or where something in it is no file."""
    if not folder.is_dir() or folder.is_symlink():
        raise InputError.one(Place(place), "pack-not-found", f"there is no folder of templates for {name}")
    files: dict[str, bytes] = {}
    size = 0
    try:
        for relative in names_below(folder):
            path = folder / relative
            if not stat.S_ISREG(path.lstat().st_mode):
                message = "a template must be a file, not a link to one or something else"
                raise InputError.one(Place(f"{place}/{relative}"), "not-a-file", message)
            size += path.stat().st_size
            if size > _MOST:
                raise InputError.one(Place(place), "pack-too-large", f"there are more than {_MOST >> 20} MiB in it")
            files[relative] = path.read_bytes()
    except OSError as error:
        raise InputError([cannot(error.filename or folder, "read", error)]) from None
    return Layer(name, place, files)


def names_below(folder: Path, prefix: str = "") -> Iterator[str]:
    """The paths of the templates in a folder, relative to it, in order; links are not followed.

    Caches are left out, and so are hidden files, but for those that a layer adds to a project.
    """
    for entry in sorted((folder / prefix).iterdir()):
        hidden = entry.name.startswith(".") and (not prefix.startswith(EXTRA) or entry.name in _JUNK)
        if hidden or entry.name == "__pycache__":
            continue
        name = f"{prefix}{entry.name}"
        if entry.is_dir() and not entry.is_symlink():
            yield from names_below(folder, f"{name}/")
        else:
            yield name


def _hash(content: bytes) -> str:
    return f"sha256:{sha256(content).hexdigest()}"


def _hash_of(layer: Layer) -> str:
    """The hash of all that is in a layer."""
    listed = "".join(f"{name}\0{_hash(content)}\n" for name, content in sorted(layer.files.items()))
    return _hash(listed.encode())
