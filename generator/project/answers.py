"""`.copier-answers.yml` of a project: which template it is of, and at which version."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from generator.errors import InputError, Place
from generator.project.paths import cannot, shown

ANSWERS: Final = ".copier-answers.yml"


@dataclass(frozen=True, slots=True)
class Answers:
    """Where the template is and what version of it the project has; "" for what is not said."""

    template: str
    version: str


def read_answers(project: Path) -> Answers:
    """What the project's answers say of its template. Raises InputError where they are missing or are no such file."""
    path = project / ANSWERS
    place = Place(shown(project, ANSWERS))
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        hint = "was it made by `holdfast new`, and is this its folder?"
        raise InputError.one(place, "update-answers", "there is no such file", hint) from None
    except OSError as error:
        raise InputError([cannot(path, "read", error)]) from None
    try:
        read = yaml.safe_load(content)
    except (yaml.YAMLError, ValueError):  # ValueError: a date that is none, bytes that are no text
        read = None
    if not isinstance(read, dict):
        raise InputError.one(place, "update-answers", "it is no mapping in YAML", "restore it from git")
    source, commit = read.get("_src_path"), read.get("_commit")
    return Answers(str(source or ""), str(commit or ""))


def record_template(project: Path, template: str, version: str) -> None:
    """Adds where the template is to answers that do not say. Raises InputError where they cannot be written."""
    path = project / ANSWERS
    added = yaml.safe_dump({"_commit": version, "_src_path": template}, default_flow_style=False)
    try:
        content = path.read_bytes()
        path.write_bytes(content + (b"" if content.endswith(b"\n") else b"\n") + added.encode())
    except OSError as error:
        raise InputError([cannot(path, "write", error)]) from None
