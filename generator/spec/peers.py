"""The error tables of dependencies: the `errors` section of a peer's own spec, or of a file that has nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from generator.document import Entry, Node, parse, read
from generator.document import Mapping as Section
from generator.errors import Finding, InputError, Place
from generator.spec.load import Spec, checked

_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class PeerErrors:
    """The table of one dependency; `spec` has the peer's `errors` and nothing else."""

    path: str  # as the service's spec names it
    file: Path
    spec: Spec
    domain: str


def load_peers(spec: Spec, folders: Sequence[Path]) -> Mapping[str, PeerErrors]:
    """The tables that the dependencies name, by dependency, each from the first of the folders that has it.

    Raises InputError with everything that is wrong with them.
    """
    findings: list[Finding] = []
    found: dict[str, PeerErrors] = {}
    for name, dependency in spec.body.dependencies.items():
        if dependency.errors is None:
            continue
        try:
            place = spec.value_place("spec", "dependencies", name, "errors")
            found[name] = _load(dependency.errors, _find(dependency.errors, folders, name, place))
        except InputError as error:
            findings += error.findings
    if findings:
        raise InputError(sorted(set(findings)))
    return found


def _find(path: str, folders: Sequence[Path], name: str, place: Place) -> Path:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or "\\" in path or parts.suffix not in _SUFFIXES:
        hint = "for example inventory/errors.yaml"
        message = f"'{path}' is no path of a YAML file below contract/ or beside the spec"
        raise InputError.one(place, "wrong-value", message, hint)
    file = next((folder / path for folder in folders if (folder / path).is_file()), None)
    if file is None:
        message = f"there is no \"{path}\" for the dependency '{name}'"
        hint = "put it below contract/ or beside the spec; `holdfast new` looks in every -I, and copies it"
        raise InputError.one(place, "peer-errors-not-found", message, hint)
    return file


def _load(path: str, file: Path) -> PeerErrors:
    root, form = parse(read(file), str(file))
    errors = _section(root)
    if not isinstance(root, Section) or errors is None:
        message = "there is no error table: neither `errors` nor `spec.errors`"
        hint = "name the dependency's own resilience spec, or a file with its `errors` section"
        raise InputError([*form, Finding(Place(str(file), 1, 1), "peer-errors", message, hint)])
    kept = {"spec": Entry(errors.place, Section({"errors": errors}, errors.place))}
    if "spec" in root.entries:
        kept |= {key: entry for key, entry in root.entries.items() if key == "metadata"}
    else:
        form = (*form, *_unknown(root))
    spec = checked(Section(kept, root.place), str(file), form)
    domain = spec.body.errors.domain or spec.metadata.name or ""
    wrong = list(_useless(spec, domain, errors.place))
    if wrong:
        raise InputError(wrong)
    return PeerErrors(path, file, spec, domain)


def _section(root: Node | None) -> Entry | None:
    """The `errors` of a spec, or of a file that has nothing else."""
    if isinstance(root, Section) and "spec" in root.entries:
        root = root.entries["spec"].node
    return root.entries.get("errors") if isinstance(root, Section) else None


def _unknown(root: Section) -> Iterator[Finding]:
    for key, entry in root.entries.items():
        if key != "errors":
            hint = "a dependency's own spec has its errors in `spec`"
            yield Finding(entry.place, "unknown-key", f"unknown key {key} beside errors", hint)


def _useless(spec: Spec, domain: str, place: Place) -> Iterator[Finding]:
    if not domain:
        message = "its errors have no domain, and could not be told from those of others"
        yield Finding(place, "peer-errors", message, "set errors.domain to the domain that the dependency answers with")
    if not spec.body.errors.table:
        yield Finding(
            place, "peer-errors", "its table has no rows", "leave the key out: there is nothing to tell apart"
        )
