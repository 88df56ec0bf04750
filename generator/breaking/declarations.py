"""Rules about what is declared where: files, packages, and what they no longer have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from generator.breaking.pairs import files
from generator.breaking.rule import ALWAYS, EVERYBODY, ONLY_FILE, ONLY_PACKAGE, SOURCE, Audience, Change, Rule
from generator.breaking.schema import EnumNode, FieldNode, FileNode, MessageNode, Schema, ServiceNode

Declared = Mapping[str, MessageNode] | Mapping[str, EnumNode] | Mapping[str, ServiceNode] | Mapping[str, FieldNode]


def _messages(file: FileNode) -> Declared:
    # The entry of a map comes and goes with its field, which has rules of its own.
    return {name: message for name, message in file.messages.items() if not message.proto.options.map_entry}


def _enums(file: FileNode) -> Declared:
    return file.enums


def _services(file: FileNode) -> Declared:
    return file.services


def _extensions(file: FileNode) -> Declared:
    return file.extensions


def _gone_from_file(
    kind: str, declared: Callable[[FileNode], Declared]
) -> Callable[[Schema, Schema], Iterator[Change]]:
    """Finds what a file that is still there no longer declares."""

    def find(before: Schema, after: Schema) -> Iterator[Change]:
        elsewhere = {one.full_name: file.path for file in after.files.values() for one in declared(file).values()}
        for path, old in before.files.items():
            new = after.files.get(path)
            if new is None:
                continue
            known = declared(new)
            for name, one in declared(old).items():
                if name not in known:
                    moved = elsewhere.get(one.full_name)
                    what = f"{kind} {one.full_name} {f'has moved to {moved}' if moved else 'is gone'}"
                    hits = (Audience.CODE,) if moved else ()  # messages and calls are as they were
                    yield Change(one.full_name, what, new.nearest(name), one.full_name, hits)

    return find


def _gone_from_package(
    kind: str, declared: Callable[[FileNode], Declared]
) -> Callable[[Schema, Schema], Iterator[Change]]:
    """Finds what no file of a package that is still there declares any more."""

    def find(before: Schema, after: Schema) -> Iterator[Change]:
        left = _by_package(after.files.values(), declared)
        for path, file in before.files.items():
            known = left.get(file.package)
            if known is None:
                continue
            for name, one in declared(file).items():
                if name not in known:
                    new = after.files.get(path)
                    place = new.nearest(name) if new else after.place_of(path)
                    what = f"{kind} {one.full_name} is gone from its package"
                    yield Change(one.full_name, what, place, one.full_name)

    return find


def _by_package(found: Iterable[FileNode], declared: Callable[[FileNode], Declared]) -> dict[str, set[str]]:
    packages: dict[str, set[str]] = {}
    for file in found:
        packages.setdefault(file.package, set()).update(declared(file))
    return packages


def _file_gone(before: Schema, after: Schema) -> Iterator[Change]:
    for path in before.files:
        if path not in after.files:
            yield Change(path, f"the file {path} is gone", after.place_of(path), path)


def _package_gone(before: Schema, after: Schema) -> Iterator[Change]:
    left = {file.package for file in after.files.values()}
    for package, path in {file.package: path for path, file in before.files.items()}.items():
        if package not in left:
            yield Change(package, f"no file is in package {package} any more", after.place_of(path), path)


def _same(name: str, value: Callable[[FileNode], Any]) -> Callable[[FileNode, FileNode], Iterator[Change]]:
    """Finds a file of which something is not what it was."""

    def check(old: FileNode, new: FileNode) -> Iterator[Change]:
        if value(old) != value(new):
            what = f"the {name} of {new.path} is {value(new) or 'none'}, not {value(old) or 'none'}"
            yield Change(new.path, what, new.place, new.path)

    return check


RULES: tuple[Rule[Schema], ...] = (
    Rule(
        "FILE_NO_DELETE",
        ONLY_FILE,
        (Audience.CODE,),
        "a file is gone, and with it the module that is generated from it",
        "keep it, with its declarations moved to another file and imported with `import public`",
        _file_gone,
    ),
    Rule(
        "FILE_SAME_PACKAGE",
        ALWAYS,
        EVERYBODY,
        "a file is in another package, and so are its types and the paths of its RPCs",
        "add a file of the new package, and serve both",
        files(_same("package", lambda file: file.package)),
    ),
    Rule(
        "FILE_SAME_SYNTAX",
        SOURCE,
        (Audience.CODE,),
        "a file has another syntax, which changes defaults, presence and enums",
        "keep the syntax; or move to an edition with the features that the old syntax stands for",
        files(_same("syntax", lambda file: file.proto.syntax or "proto2")),
    ),
    Rule(
        "FILE_SAME_PY_GENERIC_SERVICES",
        SOURCE,
        (Audience.CODE,),
        "the option `py_generic_services` of a file is another, and with it what its module holds",
        "leave the option as it is",
        files(_same("option py_generic_services", lambda file: str(file.proto.options.py_generic_services).lower())),
    ),
    Rule(
        "MESSAGE_NO_DELETE",
        ONLY_FILE,
        EVERYBODY,
        "a message is gone from its file, or has moved to another",
        "keep it where it is; mark it deprecated, if it is not to be used any more",
        _gone_from_file("message", _messages),
    ),
    Rule(
        "ENUM_NO_DELETE",
        ONLY_FILE,
        EVERYBODY,
        "an enum is gone from its file, or has moved to another",
        "keep it where it is; mark it deprecated, if it is not to be used any more",
        _gone_from_file("enum", _enums),
    ),
    Rule(
        "EXTENSION_NO_DELETE",
        ONLY_FILE,
        (Audience.GRPC, Audience.CODE),
        "an extension is gone from its file, or has moved to another",
        "keep it and mark it deprecated",
        _gone_from_file("extension", _extensions),
    ),
    Rule(
        "SERVICE_NO_DELETE",
        ONLY_FILE,
        EVERYBODY,
        "a service is gone from its file, or has moved to another",
        "keep it and mark it deprecated, until nobody calls it",
        _gone_from_file("service", _services),
    ),
    Rule(
        "PACKAGE_NO_DELETE",
        ONLY_PACKAGE,
        EVERYBODY,
        "no file is in the package any more",
        "keep its files, and mark what they declare deprecated",
        _package_gone,
    ),
    Rule(
        "PACKAGE_MESSAGE_NO_DELETE",
        ONLY_PACKAGE,
        EVERYBODY,
        "a message is gone from its package",
        "keep it and mark it deprecated",
        _gone_from_package("message", _messages),
    ),
    Rule(
        "PACKAGE_ENUM_NO_DELETE",
        ONLY_PACKAGE,
        EVERYBODY,
        "an enum is gone from its package",
        "keep it and mark it deprecated",
        _gone_from_package("enum", _enums),
    ),
    Rule(
        "PACKAGE_EXTENSION_NO_DELETE",
        ONLY_PACKAGE,
        (Audience.GRPC, Audience.CODE),
        "an extension is gone from its package",
        "keep it and mark it deprecated",
        _gone_from_package("extension", _extensions),
    ),
    Rule(
        "PACKAGE_SERVICE_NO_DELETE",
        ONLY_PACKAGE,
        EVERYBODY,
        "a service is gone from its package",
        "keep it and mark it deprecated, until nobody calls it",
        _gone_from_package("service", _services),
    ),
)
