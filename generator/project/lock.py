"""The lock: what was generated from what, so that what a person wrote is told from what the generator wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from generator.errors import Finding, InputError, Place
from generator.project.paths import is_project_path
from generator.render.emit import Owner, Stub

VERSION = 1

_HEADER = """\
# Written by holdfast; commit it, do not edit it. It tells generated files from yours, so that yours are never lost.
"""
_MOST = 32 << 20  # bytes
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PIN = re.compile(r"sha256:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{64}")
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9._/+-]*|\.[A-Za-z_][A-Za-z0-9._/+-]*/[A-Za-z0-9._/+-]*|sha256:[0-9a-f]{64}")
_NOT_STRINGS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def digest(content: bytes) -> str:
    """The content's hash as the lock writes it."""
    return f"sha256:{sha256(content).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Handled:
    """A handler method as it was last generated: enough to tell what a change of the contract means for it."""

    class_name: str
    method: str
    rpc: str
    kind: str
    request: str
    response: str

    @classmethod
    def of(cls, stub: Stub) -> Handled:
        """What the lock keeps of a stub."""
        return cls(stub.class_name, stub.method, stub.rpc, stub.kind, stub.request, stub.response)


@dataclass(frozen=True, slots=True)
class Locked:
    """One emitted file.

    `hash` is what was written ("" for appended files, which are the user's to change), `raw_hash` the same before
    formatting ("" where that makes no difference).
    """

    owner: Owner
    template: str
    layer: str
    hash: str = ""
    raw_hash: str = ""
    stubs: tuple[Handled, ...] = ()


@dataclass(frozen=True, slots=True)
class Lock:
    """The whole lock file; mappings are by path relative to the project, `packs` by what the project calls them.

    `remarks` is the number of things that the next run has to say again although nothing has changed. `identity` is
    the hash of the generator that goes into the seal.
    """

    generator: str
    tools: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Locked] = field(default_factory=dict)
    packs: Mapping[str, str] = field(default_factory=dict)
    remarks: int = field(default=0, compare=False)
    identity: str = field(default="", compare=False)


def dump(lock: Lock) -> bytes:
    """The lock as YAML: sorted, without time stamps, the seal last."""
    body = (_HEADER + "".join(f"{line}\n" for line in _lines(lock))).encode()
    return body + f"seal: {seal(body, lock.identity)}\n".encode()


def seal(body: bytes, identity: str) -> str:
    """The hash over a lock's lines above its seal, and over the generator that wrote them.

    It tells a lock as one generation left it from one that was merged or edited.
    """
    return digest(identity.encode() + b"\n" + body)


def _lines(lock: Lock) -> Iterator[str]:
    yield f"version: {VERSION}"
    yield f"generator: {_scalar(lock.generator)}"
    if lock.remarks:
        yield f"remarks: {lock.remarks}"
    for name, table in (("tools", lock.tools), ("inputs", lock.inputs), ("packs", lock.packs)):
        if table or name != "packs":
            yield f"{name}:" if table else f"{name}: {{}}"
        for key in sorted(table):
            yield f"  {_scalar(key)}: {_scalar(table[key])}"
    yield "files:" if lock.files else "files: {}"
    for path in sorted(lock.files):
        locked = lock.files[path]
        yield f"  {_scalar(path)}:"
        yield f"    owner: {locked.owner.value}"
        if locked.hash:
            yield f"    hash: {_scalar(locked.hash)}"
        if locked.raw_hash:
            yield f"    rawHash: {_scalar(locked.raw_hash)}"
        yield f"    template: {_scalar(locked.template)}"
        yield f"    layer: {_scalar(locked.layer)}"
        if locked.stubs:
            yield "    stubs:"
        for stub in locked.stubs:
            yield f"      - class: {_scalar(stub.class_name)}"
            yield f"        method: {_scalar(stub.method)}"
            yield f"        rpc: {_scalar(stub.rpc)}"
            yield f"        kind: {_scalar(stub.kind)}"
            yield f"        request: {_scalar(stub.request)}"
            yield f"        response: {_scalar(stub.response)}"


def _scalar(text: str) -> str:
    """A YAML string, quoted where a plain one could be read as something else."""
    if _PLAIN.fullmatch(text) and text.lower() not in _NOT_STRINGS:
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'


def load(content: bytes, file: str) -> Lock:
    """The lock in `content`, checked; `file` is what findings call it.

    Raises InputError where it is not a lock that this version can read. Nothing in it is trusted: paths stay inside
    the project, hashes are hashes.
    """
    import yaml

    place = Place(file)
    if len(content) > _MOST:
        raise _broken(place, f"it has more than {_MOST >> 20} MiB")
    try:
        document = _document(content)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = Place(file, mark.line + 1, mark.column + 1) if mark else place
        raise _broken(where, "it is not YAML") from None
    version = document.get("version") if isinstance(document, dict) else None
    if version != str(VERSION):
        if isinstance(version, str) and version.isdigit() and int(version) > VERSION:
            hint = "update holdfast"
            raise InputError.one(place, "lock-version", f"it was written by a later holdfast (version {version})", hint)
        raise _broken(place, "it is not a lock of a known version")
    return _Reader(place).lock(document)


def _document(content: bytes) -> Any:
    """The YAML as strings, lists and mappings, which is all that a base loader makes; a key stands once, or it raises."""
    import yaml

    base: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

    class Loader(base):  # type: ignore[misc]  # whichever of the two there is
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            if len(names) > len(set(names)):
                raise yaml.constructor.ConstructorError(None, None, "a key stands twice", node.start_mark)
            return super().construct_mapping(node, deep=deep)

    return yaml.load(content, Loader=Loader)  # noqa: S506


def _broken(place: Place, message: str) -> InputError:
    hint = "restore it from version control; or delete it and run `holdfast generate`, which overwrites nothing that differs"
    return InputError.one(place, "lock-unreadable", message, hint)


class _Reader:
    """Turns plain strings, lists and mappings into a Lock, refusing what is not one."""

    __slots__ = ("_place",)

    def __init__(self, place: Place) -> None:
        self._place = place

    def lock(self, document: Mapping[str, Any]) -> Lock:
        files = self._table(document, "files")
        return Lock(
            generator=self._text(document, "generator"),
            tools={str(key): self._text(self._table(document, "tools"), key) for key in self._table(document, "tools")},
            inputs=self._inputs(self._table(document, "inputs")),
            packs=self._packs(document) if "packs" in document else {},
            files={self._path(path): self._locked(path, entry) for path, entry in files.items()},
        )

    def _inputs(self, table: Mapping[Any, Any]) -> Mapping[str, str]:
        return {self._path(path): self._digest(table, path) for path in table}

    def _packs(self, document: Mapping[str, Any]) -> Mapping[str, str]:
        packs = self._table(document, "packs")
        for pack in packs:
            if not _PIN.fullmatch(self._text(packs, pack)):
                raise _broken(self._place, f'"{pack}" has neither a commit nor a hash')
        return {str(pack): self._text(packs, pack) for pack in packs}

    def _locked(self, path: str, entry: Any) -> Locked:
        if not isinstance(entry, dict):
            raise _broken(self._place, f'the entry of "{path}" is no mapping')
        owner = self._text(entry, "owner")
        if owner not in {known.value for known in Owner}:
            raise _broken(self._place, f'"{path}" has no known owner')
        stubs = entry.get("stubs", [])
        if not isinstance(stubs, list) or not all(isinstance(stub, dict) for stub in stubs):
            raise _broken(self._place, f'the stubs of "{path}" are no list')
        return Locked(
            owner=Owner(owner),
            template=self._text(entry, "template"),
            layer=self._text(entry, "layer"),
            hash=self._digest(entry, "hash") if owner != Owner.APPENDED.value else "",
            raw_hash=self._digest(entry, "rawHash") if "rawHash" in entry else "",
            stubs=tuple(self._handled(stub) for stub in stubs),
        )

    def _handled(self, stub: Mapping[str, Any]) -> Handled:
        return Handled(
            class_name=self._text(stub, "class"),
            method=self._text(stub, "method"),
            rpc=self._text(stub, "rpc"),
            kind=self._text(stub, "kind"),
            request=self._text(stub, "request"),
            response=self._text(stub, "response"),
        )

    def _table(self, document: Mapping[str, Any], key: str) -> Mapping[Any, Any]:
        table = document.get(key)
        if not isinstance(table, dict):
            raise _broken(self._place, f"it has no `{key}`")
        return table

    def _text(self, document: Mapping[Any, Any], key: str) -> str:
        value = document.get(key)
        if not isinstance(value, str):
            raise _broken(self._place, f"`{key}` is no string")
        return value

    def _digest(self, document: Mapping[Any, Any], key: str) -> str:
        value = self._text(document, key)
        if not _DIGEST.fullmatch(value):
            raise _broken(self._place, f"`{key}` is no hash")
        return value

    def _path(self, path: Any) -> str:
        if not isinstance(path, str) or not is_project_path(path):
            finding = Finding(self._place, "unsafe-path", f'"{path}" is no path inside the project', "remove the entry")
            raise InputError([finding])
        return path
