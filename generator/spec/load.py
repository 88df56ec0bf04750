"""Reads a resilience spec: text to a checked, typed `Spec` that remembers where everything stands."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from pydantic import ValidationError

from generator.document import (
    Mapping,
    Path,
    find,
    key_place,
    parse,
    plain,
    positions,
    read,
    value_place,
)
from generator.errors import Finding, InputError, Place
from generator.spec.checks import check
from generator.spec.findings import nulls, translate
from generator.spec.model import Metadata, ResilienceSpec, SpecBody


@dataclass(frozen=True)
class Spec:
    """A resilience spec as it was read: typed values, and the tree they came from."""

    file: str
    root: Mapping
    document: ResilienceSpec

    @property
    def metadata(self) -> Metadata:
        return self.document.metadata

    @property
    def body(self) -> SpecBody:
        """Everything under `spec`."""
        return self.document.spec

    def key_place(self, *path: str | int) -> Place:
        """Where the key at `path` stands, or the nearest section around it that is there."""
        return key_place(self.root, path)

    def value_place(self, *path: str | int) -> Place:
        """Where the value at `path` stands, or the nearest section around it that is there."""
        return value_place(self.root, path)

    def block(self, *path: str | int) -> Mapping | None:
        """The section at `path` as it was written; None when it is absent or no section."""
        node = find(self.root, path)
        return node if isinstance(node, Mapping) else None

    @cached_property
    def positions(self) -> dict[Path, Place]:
        """The place of every key and list item of the document by its path, in the order they stand."""
        return dict(positions(self.root))


def load(path: pathlib.Path) -> Spec:
    """The spec in the file at `path`; InputError with everything that is wrong with it, sorted by place."""
    return load_text(read(path), str(path))


def load_text(text: str, name: str) -> Spec:
    """The spec in `text`; `name` stands for the file in findings. Raises as `load` does."""
    root, form = parse(text, name)
    if root is None:
        empty = Finding(Place(name, 1, 1), "empty-spec", "the file is empty", "the smallest spec is: spec: {}")
        raise InputError(form or [empty])
    if not isinstance(root, Mapping):
        wrong = Finding(root.place, "wrong-type", "a spec is a mapping with apiVersion, kind, metadata and spec")
        raise InputError([*form, wrong])
    return checked(root, name, form)


def checked(root: Mapping, name: str, form: Iterable[Finding] = ()) -> Spec:
    """The spec that a tree holds; `form` is what was wrong with its text. Raises as `load` does."""
    findings = [*form, *nulls(ResilienceSpec, root)]
    document = None
    try:
        document = ResilienceSpec.model_validate(plain(root))
    except ValidationError as error:
        findings += translate(error, ResilienceSpec, root)
    if document is not None:
        findings += check(document, root)
    if findings or document is None:
        raise InputError(sorted(set(findings)))
    return Spec(name, root, document)
