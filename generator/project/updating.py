"""`holdfast update`: a newer version of the template merged into a project by copier, then generated with."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from generator.errors import Finding, InputError, Place
from generator.project.answers import ANSWERS, Answers, read_answers, record_template
from generator.project.lock import load
from generator.project.paths import LOCK, cannot, shown

_COMMAND_LINE = Place("command line")
_MARKER: Final = b"<<<<<<< "
_ENDS: Final = (b">>>>>>> ", b"=======")
_RESUME: Final = "settle it, then run `holdfast update --continue`"
_SHOWN: Final = 5  # changed files that a refusal names
_SHORT: Final = {"gh:": "https://github.com/", "gl:": "https://gitlab.com/"}  # copier's


@dataclass(frozen=True, slots=True)
class Updated:
    """What an update did: the template's versions, and what a person has to settle, one finding a place."""

    before: str
    after: str
    conflicts: tuple[Finding, ...]


def adopt_template(project: Path, template: str) -> str:
    """Writes into the answers which template the project is of, for one that was made without a repository.

    The version is that of the generator that the lock names, by its tag. Returns it. Raises InputError where there
    are no answers, where they name a template already, and where there is no lock.
    """
    answers = read_answers(project)
    place = Place(shown(project, ANSWERS))
    if answers.template:
        hint = "edit _src_path there, and commit, to move to another"
        raise InputError.one(place, "update-template", f"the template is {answers.template} already", hint)
    try:
        lock = load((project / LOCK).read_bytes(), shown(project, LOCK))
    except OSError as error:
        raise InputError([cannot(project / LOCK, "read", error)]) from None
    version = f"v{lock.generator}"
    record_template(project, template, version)
    return version


def update(project: Path, to: str = "") -> Updated:
    """Merges the template's version `to` (a tag; the latest without it) into the skeleton, and generates with it.

    The merge is copier's, three-way: what both sides changed is left with conflict markers, and told. Raises
    InputError, with nothing changed, where the project is no clean git working tree or has no template, and where
    copier refuses; and where the generator of the new version finds the inputs wrong, after the merge.
    """
    before = _ready(project)
    _copier_update(project, to)
    conflicts = tuple(_conflicts(project))
    return Updated(before.version, _version_now(project, before), conflicts)


def resume(project: Path) -> Updated:
    """Finishes an update whose conflicts are settled: generates with the version that was updated to.

    Raises InputError where there is no template, and where the generator finds the inputs wrong; returns what is
    not settled yet, and generates nothing then.
    """
    answers = _with_template(project)
    conflicts = tuple(_conflicts(project))
    if not conflicts:
        with _template_at(answers) as template:
            _generate(project, template)
    return Updated(answers.version, answers.version, conflicts)


def _ready(project: Path) -> Answers:
    """The answers of a project that can be updated."""
    answers = _with_template(project)
    if conflicts := list(_conflicts(project)):
        raise InputError(conflicts)
    if changed := _git(project, "status", "--porcelain").splitlines():
        names = ", ".join(line[3:] for line in changed[:_SHOWN]) + (", …" if len(changed) > _SHOWN else "")
        message = f"the git working tree has uncommitted changes: {names}"
        raise InputError.one(Place(str(project)), "update-uncommitted", message, "commit or stash them first")
    return answers


def _with_template(project: Path) -> Answers:
    answers = read_answers(project)
    if not answers.template or not answers.version:
        hint = "name its repository once: `holdfast update --template URL`"
        message = "it names no template: the project was made with an installed holdfast, which has no history"
        raise InputError.one(Place(shown(project, ANSWERS)), "update-template", message, hint)
    return answers


def _version_now(project: Path, before: Answers) -> str:
    """The version after the merge; the one before where the answers cannot be read, which a conflict would say."""
    try:
        return read_answers(project).version
    except InputError:
        return before.version


def _copier_update(project: Path, to: str) -> None:
    import copier
    from copier.errors import CopierError, TaskError

    try:
        copier.run_update(
            project, vcs_ref=to or None, defaults=True, overwrite=True, skip_answered=True, unsafe=True, quiet=True
        )
    except TaskError:
        if conflicts := list(_conflicts(project)):
            raise InputError(conflicts) from None
        message = "the skeleton is updated, but the new version cannot generate the project: see above"
        raise InputError.one(Place(str(project)), "update-generate", message, _RESUME) from None
    except (CopierError, ValueError) as error:
        raise InputError.one(_COMMAND_LINE, "update-refused", " ".join(str(error).split())) from None
    except OSError as error:
        raise InputError([cannot(error.filename or project, "write", error)]) from None


def _conflicts(project: Path) -> Iterator[Finding]:
    """A finding for each conflict that an update has left, at its first line."""
    listed = _git(project, "ls-files", "--unmerged", "-z", "--", ".").split("\0")
    for name in sorted({entry.partition("\t")[2] for entry in listed if entry}):
        with contextlib.suppress(OSError):
            lines = (project / name).read_bytes().split(b"\n")
            if not any(line.startswith(_ENDS[0]) for line in lines):
                continue
            for number, line in enumerate(lines, 1):
                if line.startswith(_MARKER):
                    place = Place(shown(project, name), number, 1)
                    message = "the template changed what you changed too"
                    yield Finding(place, "update-conflict", message, _RESUME)


@contextlib.contextmanager
def _template_at(answers: Answers) -> Iterator[Path]:
    """The template's repository at the version that the answers name, in a folder that goes away again."""
    url = answers.template.removeprefix("git+")
    for short, whole in _SHORT.items():
        url = re.sub(rf"^{short}/*", whole, url)
    with tempfile.TemporaryDirectory(prefix="holdfast-") as folder:
        here = Path(folder)
        _git(here, "clone", "--quiet", "--no-checkout", "--", url, "template")
        _git(here / "template", "checkout", "--quiet", "--detach", answers.version)
        yield here / "template"


def _generate(project: Path, template: Path) -> None:
    command = [sys.executable, str(template / "generator" / "__main__.py"), "generate", "--project", str(project)]
    if subprocess.run(command, check=False).returncode != 0:  # noqa: S603 - the template that the user trusts
        message = "the new version cannot generate the project: see above"
        raise InputError.one(Place(str(project)), "update-generate", message, _RESUME)


def _git(folder: Path, *arguments: str) -> str:
    """What git prints. Raises InputError with what it complains of, and where there is no git."""
    command: Sequence[str] = ("git", "-C", str(folder), *arguments)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no shell
    except OSError as error:
        raise InputError([cannot("git", "run", error)]) from None
    if done.returncode != 0:
        complaint = (done.stderr.strip().splitlines() or ["git failed"])[-1].removeprefix("fatal: ")
        raise InputError.one(
            Place(str(folder)), "update-git", complaint, "an update needs git, and a commit to start from"
        )
    return done.stdout
