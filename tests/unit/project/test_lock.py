"""The lock is written the same everywhere and read with suspicion."""

import json

import pytest
import yaml

from generator import resources
from generator.errors import InputError
from generator.project.lock import Handled, Lock, Locked, digest, dump, load
from generator.render.emit import Owner

LOCK = Lock(
    generator="1.2",
    tools={"black": "26.1", "a": "true"},
    inputs={"contract/x.proto": digest(b"x"), "resilience.yaml": digest(b"y")},
    files={
        "src/p/app.py": Locked(Owner.SEEDED, "seeded/{package}/app.py.j2", "built-in", digest(b"a"), digest(b"b")),
        "null": Locked(Owner.MANAGED, "t", "no", digest(b"")),
        "src/p/handlers/größe, nicht: wahr.py": Locked(
            Owner.APPENDED,
            "t",
            "built-in",
            stubs=(Handled("Shop", "buy", "/shop.Shop/Buy", "bidi", "shop.Req", "shop.Res"),),
        ),
    },
    packs={"git+https://example.com/pack.git@v1": "0123456789abcdef" * 2 + "01234567", "./pack": digest(b"z")},
    remarks=1,
)


def test_what_is_written_is_read_again() -> None:
    lock = Lock(
        LOCK.generator, LOCK.tools, LOCK.inputs, {k: v for k, v in LOCK.files.items() if ":" not in k}, LOCK.packs
    )

    assert load(dump(lock), "lock.yaml") == lock


def test_the_order_of_what_went_in_does_not_show() -> None:
    turned = Lock(
        LOCK.generator,
        dict(reversed(LOCK.tools.items())),
        dict(reversed(LOCK.inputs.items())),
        dict(reversed(LOCK.files.items())),
        dict(reversed(LOCK.packs.items())),
        LOCK.remarks,
    )

    assert dump(turned) == dump(LOCK)


def test_any_yaml_reader_sees_the_same_strings() -> None:
    document = yaml.safe_load(dump(LOCK))

    assert document["version"] == 1
    assert document["generator"] == "1.2"
    assert document["tools"] == LOCK.tools
    assert set(document["files"]) == set(LOCK.files)
    assert document["files"]["null"]["layer"] == "no"


def test_the_schema_knows_every_key_that_is_written() -> None:
    schema = json.loads((resources.root() / "schemas/lock.v1.schema.json").read_text())
    document = yaml.safe_load(dump(LOCK))
    entry = schema["$defs"]["file"]["properties"]
    handled = entry["stubs"]["items"]

    assert set(document) == set(schema["properties"]) == {*schema["required"], "packs", "remarks"}
    assert {key for file in document["files"].values() for key in file} == set(entry)
    assert {key for file in document["files"].values() for stub in file.get("stubs", []) for key in stub} == set(
        handled["properties"]
    )


@pytest.mark.parametrize(
    "path",
    ["../x", "/etc/passwd", "a/../b", "a//b", "./a", "", ".git/config", "a\\b", "C:x", "a/.git/b", "a\nb", "a\u202eb"],
)
def test_a_path_that_leaves_the_project_is_refused(path: str) -> None:
    for lock in (
        Lock("1", {}, {}, {path: Locked(Owner.MANAGED, "t", "l", digest(b""))}),
        Lock("1", {}, {path: digest(b"")}, {}),
    ):
        with pytest.raises(InputError, match="unsafe-path"):
            load(dump(lock), "lock.yaml")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b"\xff\xfe",
        b"a: &a [*a]",
        b"version: 1",
        b"version: one\ngenerator: x\ntools: {}\ninputs: {}\nfiles: {}",
        b"version: 1\ngenerator: []\ntools: {}\ninputs: {}\nfiles: {}",
        b"version: 1\ngenerator: x\ntools: {a: []}\ninputs: {}\nfiles: {}",
        b"version: 1\ngenerator: x\ntools: {}\ninputs: {a: sha256:zz}\nfiles: {}",
        b"version: 1\ngenerator: x\ntools: {}\ninputs: {}\nfiles: {a: b}",
        b"version: 1\ngenerator: x\ntools: {}\ninputs: {}\nfiles: {a: {owner: root, template: t, layer: l}}",
        b"version: 1\ngenerator: x\ntools: {}\ninputs: {}\nfiles: {a: {owner: managed, template: t, layer: l}}",
        b"version: 1\ngenerator: x\ntools: {}\ninputs: {}\nfiles: {a: {owner: appended, template: t, layer: l, stubs: 1}}",
        b"!!python/object/apply:os.system [echo]",
        b"[" * 10_000,
        b"version: 1\ngenerator: x\ngenerator: y\ntools: {}\ninputs: {}\nfiles: {}",
        b"version: 1\ngenerator: x\ntools: {}\ninputs: {}\nfiles: {a: {owner: seeded}, a: {owner: managed}}",
        b"version: 1\ngenerator: x\ntools: {}\ninputs: {[a]: b}\nfiles: {}",
        b"#" * (33 << 20),
    ],
)
def test_what_is_no_lock_is_one_finding(content: bytes) -> None:
    with pytest.raises(InputError) as caught:
        load(content, "lock.yaml")

    assert [finding.id for finding in caught.value.findings] == ["lock-unreadable"]


def test_a_lock_of_a_later_version_says_so() -> None:
    with pytest.raises(InputError, match="written by a later holdfast"):
        load(b"version: 2\n", "lock.yaml")


def test_aliases_cannot_make_much_of_little() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40))
    document = f"version: 1\ngenerator: x\ntools: {{}}\ninputs: {{}}\nfiles: {{a: *a39}}\n{bomb}"

    with pytest.raises(InputError, match="lock-unreadable"):
        load(f"{bomb}{document.partition('a0:')[0]}".encode(), "lock.yaml")
