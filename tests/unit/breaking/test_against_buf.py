"""The rules about contracts find what buf finds, change by change, in each category."""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from generator.breaking.contract import RULES, compare
from generator.breaking.rule import Break, Category
from generator.breaking.schema import Schema
from generator.contract.compile import compile_protos
from generator.contract.sources import sources
from tests import buf
from tests.unit.breaking.changes import CHANGES

# Rules about what other languages make of an option. Python makes nothing of it.
OTHER_LANGUAGES = {
    "FIELD_SAME_CPP_STRING_TYPE",
    "FIELD_SAME_JAVA_UTF8_VALIDATION",
    "FIELD_SAME_JSTYPE",
    "FILE_SAME_CC_ENABLE_ARENAS",
    "FILE_SAME_CC_GENERIC_SERVICES",
    "FILE_SAME_CSHARP_NAMESPACE",
    "FILE_SAME_GO_PACKAGE",
    "FILE_SAME_JAVA_GENERIC_SERVICES",
    "FILE_SAME_JAVA_MULTIPLE_FILES",
    "FILE_SAME_JAVA_OUTER_CLASSNAME",
    "FILE_SAME_JAVA_PACKAGE",
    "FILE_SAME_OBJC_CLASS_PREFIX",
    "FILE_SAME_OPTIMIZE_FOR",
    "FILE_SAME_PHP_CLASS_PREFIX",
    "FILE_SAME_PHP_METADATA_NAMESPACE",
    "FILE_SAME_PHP_NAMESPACE",
    "FILE_SAME_RUBY_PACKAGE",
    "FILE_SAME_SWIFT_PREFIX",
    "MESSAGE_NO_REMOVE_STANDARD_DESCRIPTOR_ACCESSOR",
}
NAMES = sorted((one.name for one in CHANGES), key=len, reverse=True)

each_category = pytest.mark.parametrize("category", Category, ids=lambda category: category.value)


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """All changes at once, each in a package of its own: buf starts once a category, and protoc once a side."""
    folder = tmp_path_factory.mktemp("changes")
    for one in CHANGES:
        one.write(folder / "before", folder / "after")
    return folder / "before", folder / "after"


@pytest.fixture(scope="module")
def schemas(versions: tuple[Path, Path]) -> tuple[Schema, Schema]:
    before, after = (_compiled(folder) for folder in versions)
    return before, after


def _compiled(folder: Path) -> Schema:
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.proto"))
    descriptor_set: FileDescriptorSet = compile_protos(paths, sources([folder]))
    return Schema(descriptor_set, paths)


def _counted(found: Mapping[str, Counter[str]]) -> dict[str, dict[str, int]]:
    return {name: dict(sorted(counter.items())) for name, counter in sorted(found.items()) if counter}


def _change_of(text: str) -> str:
    return next(name for name in NAMES if re.search(rf"\b{name}\b", text))


def _is_last_of_its_kind(found: Break, after: Schema) -> bool:
    """Whether an enum or extension is gone of whose kind the package has none left: buf does not see that."""
    kind = re.fullmatch(r"PACKAGE_(ENUM|EXTENSION)_NO_DELETE", found.rule.id)
    if kind is None:
        return False
    package = _change_of(found.change.element)
    files = [file for file in after.files.values() if file.package == package]
    return not any(getattr(file, f"{kind[1].lower()}s") for file in files)


@each_category
def test_rules_find_what_buf_finds(
    category: Category, versions: tuple[Path, Path], schemas: tuple[Schema, Schema]
) -> None:
    expected: dict[str, Counter[str]] = {name: Counter() for name in NAMES}
    for finding in buf.breaking(*versions, category.value):
        # Entries of maps come and go with their fields, about which there is a finding anyway.
        entry = "MESSAGE_NO_DELETE" in finding["type"] and re.search(r'Entry" was deleted', finding["message"])
        if finding["type"] not in OTHER_LANGUAGES and not entry:
            expected[_change_of(finding.get("path", "") or finding["message"])][finding["type"]] += 1
    found: dict[str, Counter[str]] = {name: Counter() for name in NAMES}
    for one in compare(*schemas, category):
        if _is_last_of_its_kind(one, schemas[1]):
            continue
        found[_change_of(one.change.place.file + one.change.element)][one.rule.id] += 1
    assert _counted(found) == _counted(expected)


@each_category
def test_every_rule_of_buf_that_concerns_python_is_there(category: Category) -> None:
    assert {rule.id for rule in RULES if category in rule.categories} == buf.rules(category.value) - OTHER_LANGUAGES


def test_the_last_enum_or_extension_of_a_package_is_missed_too(schemas: tuple[Schema, Schema]) -> None:
    gone = {one.change.subject for one in compare(*schemas, Category.PACKAGE) if _is_last_of_its_kind(one, schemas[1])}
    assert {"enum_deleted.E", "extension_deleted.e", "enum_nested_deleted.M.E"} <= gone


def test_every_rule_is_tried(schemas: tuple[Schema, Schema]) -> None:
    found = {one.rule.id for category in Category for one in compare(*schemas, category)}
    assert found == {rule.id for rule in RULES}
