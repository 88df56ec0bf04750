"""Makes a new project: everything is found to be in order first, then made aside, then moved into place."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from generator import resources
from generator.errors import Finding, InputError, Place
from generator.project import aside, config, deciding, inputs, names, packs
from generator.project.changes import Changes
from generator.project.paths import cannot
from generator.project.writer import apply

_COMMAND_LINE = Place("command line")
_ANSWERS = frozenset({"name", "package", "description"})
_TEMPLATE = ("copier.yml", "templates/python/skeleton")


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asks for; `answers` are for copier's questions, by name."""

    dest: Path
    contracts: Sequence[str] = ()
    include: Sequence[Path] = ()
    spec: Path | None = None
    service_configs: Sequence[Path] = ()
    packs: Sequence[str] = ()  # as they are named from the current folder
    name: str = ""
    package: str = ""
    answers: Mapping[str, str] | None = None
    defaults: bool = True  # ask nothing


def new(request: Request) -> tuple[Changes, Sequence[Finding]]:
    """Makes the project and returns what was generated, and the plan's warnings.

    Raises InputError, with nothing written, where the destination is taken, an input is wrong or the file system
    refuses.
    """
    answers = dict(request.answers or {})
    name = request.name or answers.get("name") or request.dest.absolute().name
    package = request.package or answers.get("package") or names.package_of(name)
    if aside.finish(request.dest):
        message = "a `holdfast new` that was interrupted is finished now: the project is there"
        raise InputError.one(
            Place(str(request.dest)), "destination-not-empty", message, "run `holdfast generate` in it"
        )
    _check(request, name, package)
    given = _given(request, name, package)
    if request.defaults or request.name:
        answers["name"] = name
    if request.defaults or request.package:
        answers["package"] = package
    with aside.folder_for(request.dest) as project:
        try:
            _copy(project, answers, {"name": name}, defaults=request.defaults)
            asked = config.identity(project)
            if asked != (name, package) and not request.contracts:
                given = _given(request, *asked)
            inputs.lay_down(project, given, _packs(request))
            built, changes = deciding.changes(project, destination=request.dest)
            apply(project, changes)
        except InputError as error:
            raise InputError(_moved(finding, project, request) for finding in error.findings) from None
        _own(project)
        aside.place(project, request.dest)
    return changes, tuple(_moved(finding, project, request) for finding in built.plan.warnings)


def complete(request: Request) -> tuple[Changes, Sequence[Finding]]:
    """Does what `new` does once copier has rendered the skeleton into `request.dest`: copier's own task calls this.

    Raises InputError as `new` does; what copier has made is copier's to remove.
    """
    name, package, project = request.name, request.package, request.dest
    findings = [*names.name_findings(name, _COMMAND_LINE), *names.package_findings(package, _COMMAND_LINE)]
    findings += [finding for pack in request.packs for finding in packs.named(pack, _COMMAND_LINE)]
    if findings:
        raise InputError(findings)
    inputs.lay_down(project, _given(request, name, package), _packs(request))
    built, changes = deciding.changes(project)
    apply(project, changes)
    return changes, built.plan.warnings


def _given(request: Request, name: str, package: str) -> inputs.Inputs:
    return inputs.read(
        request.contracts, request.include, request.spec, request.service_configs, name=name, package=package
    )


def _packs(request: Request) -> Sequence[str]:
    """The packs as the project's pyproject.toml has them, each once."""
    return tuple(dict.fromkeys(packs.seen_from(request.dest, pack) for pack in request.packs))


def _check(request: Request, name: str, package: str) -> None:
    findings: list[Finding] = []
    dest = Place(str(request.dest))
    try:
        taken = request.dest.is_dir() and any(entry.name != ".git" for entry in request.dest.iterdir())
    except OSError as error:
        findings.append(cannot(request.dest, "read", error))
    else:
        if taken:
            findings.append(Finding(dest, "destination-not-empty", "the folder is not empty", "choose another"))
        elif os.path.lexists(request.dest) and not request.dest.is_dir():
            findings.append(Finding(dest, "destination-not-a-folder", "there is something else of that name"))
    for key in sorted((request.answers or {}).keys() - _ANSWERS):
        hint = f"known: {', '.join(sorted(_ANSWERS))}"
        findings.append(Finding(_COMMAND_LINE, "unknown-answer", f'--set knows no "{key}"', hint))
    findings += [finding for pack in request.packs for finding in packs.named(pack, _COMMAND_LINE)]
    findings += names.name_findings(name, _COMMAND_LINE)
    if not findings or request.package:
        findings += names.package_findings(package, _COMMAND_LINE)
    if findings:
        raise InputError(findings)


def _copy(project: Path, answers: Mapping[str, str], proposed: Mapping[str, str], *, defaults: bool) -> None:
    """Has copier render the skeleton into the empty folder `project`."""
    import copier
    from copier.errors import CopierError

    data = {
        **answers,
        **_origin(),
        "contract": "",
        "include": "",
        "spec": "",
        "service_config": "",
        "pack": "",
        "invoked_from": "",
    }
    try:
        with tempfile.TemporaryDirectory(prefix="holdfast-") as template:
            _copy_template(Path(template))
            copier.run_copy(
                template,
                project,
                data=data,
                user_defaults=dict(proposed),
                settings=copier.Settings(),
                defaults=defaults,
                quiet=True,
                skip_tasks=True,
                overwrite=True,
            )
    except KeyboardInterrupt:
        raise
    except (CopierError, ValueError) as error:
        raise InputError.one(_COMMAND_LINE, "answer", " ".join(str(error).split())) from None
    except OSError as error:
        raise InputError([cannot(error.filename2 or error.filename or project, "write", error)]) from None


def _copy_template(folder: Path) -> None:
    """A copy that is no repository: copier would clone one, and take the latest tag instead of what is here."""
    for part in _TEMPLATE:
        source, target = resources.root() / part, folder / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target)


def _origin() -> Mapping[str, str]:
    """Where the template comes from, as copier would record it, when it is a git repository: for `copier update`."""
    root = resources.root()
    if not (root / ".git").exists():
        return {}
    command = ["git", "-C", str(root), "describe", "--tags", "--always"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - a fixed command
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {"template_source": str(root), "template_commit": found.stdout.strip()}


def _own(project: Path) -> None:
    """Gives every file and folder the modes that the user's umask asks for."""
    umask = os.umask(0o077)
    os.umask(umask)
    for path in [project, *sorted(project.rglob("*"))]:
        path.chmod((0o777 if path.is_dir() else 0o666) & ~umask)


def _moved(finding: Finding, project: Path, request: Request) -> Finding:
    """A finding about the folder aside, told of what the user knows: their spec, or the destination."""
    folders = (str(project), os.path.relpath(project))
    hint = finding.hint
    for name in folders:
        hint = hint.replace(f"{name}{os.sep}", f"{request.dest}{os.sep}")
    place = finding.place
    relative = next(
        (Path(place.file).relative_to(name) for name in folders if Path(place.file).is_relative_to(name)), None
    )
    if relative == Path(config.FILE) and finding.id.startswith("pack-"):
        return replace(finding, place=_COMMAND_LINE, hint=hint)
    if relative is not None:
        named = {Path(config.CONTRACT_FOLDER, path.name): path for path in request.service_configs}
        if request.spec:
            named[Path(inputs.SPEC)] = request.spec
        place = replace(place, file=str(named.get(relative, request.dest / relative)))
    return replace(finding, place=place, hint=hint)
