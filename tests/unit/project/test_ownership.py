"""Each owner's files get what their owner is due, and nothing else on disk changes."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from generator.errors import InputError
from generator.project.build import read_lock
from generator.project.changes import Action, Changes, Fault
from generator.project.disk import Disk
from generator.project.lock import Lock
from generator.project.ownership import decide, formatted
from generator.project.writer import apply
from generator.render.emit import Emit, Owner, Stub

TOOLS = {"black": "1"}


def decided(project: Path, *emits: Emit, force: Sequence[str] = (), inputs: str = "1") -> Changes:
    disk = Disk(project)
    after = Lock("1.0", TOOLS, {"a.proto": f"sha256:{inputs * 64}"})
    return decide(disk, emits, read_lock(disk), after, force)


def generated(project: Path, *emits: Emit, force: Sequence[str] = ()) -> Changes:
    changes = decided(project, *emits, force=force)
    apply(project, changes)
    return changes


def managed(path: str, content: bytes = b"new\n") -> Emit:
    return Emit(path, Owner.MANAGED, content, "managed/x.j2")


def seeded(path: str, content: bytes = b"seed\n") -> Emit:
    return Emit(path, Owner.SEEDED, content, "seeded/x.j2")


def stub(method: str, request: str = "Req", owner: str = "Shop") -> Stub:
    source = f"async def {method}(self, request: {request}, call: Call) -> Res:\n    raise errors.no()\n"
    return Stub(owner, method, source, (), f"/shop.Shop/{method}", "unary", request, "Res")


def handler(*stubs: Stub, path: str = "src/p/handlers/shop.py") -> Emit:
    methods = "".join("\n    " + one.source.replace("\n    ", "\n        ") for one in stubs)
    return Emit(path, Owner.APPENDED, f"class Shop(Base):\n    x = 1\n{methods}".encode(), "appended/x.j2", stubs=stubs)


def tree(project: Path) -> dict[str, bytes]:
    return {str(path.relative_to(project)): path.read_bytes() for path in project.rglob("*") if path.is_file()}


def test_the_first_generation_writes_everything_and_the_second_nothing(tmp_path: Path) -> None:
    emits = (managed("gen/a.py"), seeded("app.py"), handler(stub("buy")))

    first = generated(tmp_path, *emits)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    again = decided(tmp_path, *emits)

    assert {change.action for change in first.files} == {Action.CREATED}
    assert not again.with_action(Action.CREATED, Action.CHANGED, Action.REMOVED)
    assert not apply(tmp_path, again)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_managed_file_follows_what_is_emitted(tmp_path: Path) -> None:
    generated(tmp_path, managed("gen/a.py", b"old\n"))

    generated(tmp_path, managed("gen/a.py", b"new\n"))

    assert (tmp_path / "gen/a.py").read_bytes() == b"new\n"


def test_a_managed_file_that_is_no_longer_emitted_is_removed_with_its_empty_folders(tmp_path: Path) -> None:
    generated(tmp_path, managed("gen/a.py"), managed("gen/deep/down/b.py"))
    cache = tmp_path / "gen/deep/down/__pycache__"
    cache.mkdir()
    (cache / "b.cpython-311.pyc").write_bytes(b"")

    generated(tmp_path, managed("gen/a.py"))

    assert sorted(path.name for path in (tmp_path / "gen").iterdir()) == ["a.py"]


def test_a_folder_with_something_of_the_user_in_it_is_not_removed(tmp_path: Path) -> None:
    generated(tmp_path, managed("gen/deep/b.py"))
    (tmp_path / "gen/deep/notes.txt").write_text("mine")

    generated(tmp_path, managed("gen/a.py"))

    assert (tmp_path / "gen/deep/notes.txt").read_text() == "mine"


def test_a_managed_file_edited_by_hand_stops_the_whole_generation(tmp_path: Path) -> None:
    generated(tmp_path, managed("gen/a.py", b"old\n"), managed("gen/b.py", b"old\n"))
    (tmp_path / "gen/a.py").write_bytes(b"mine\n")
    before = tree(tmp_path)

    with pytest.raises(InputError) as caught:
        generated(tmp_path, managed("gen/a.py"), managed("gen/b.py"))

    assert [finding.id for finding in caught.value.findings] == ["edited-by-hand"]
    assert "--force gen/a.py" in str(caught.value)
    assert tree(tmp_path) == before


def test_an_edited_file_that_is_to_be_pruned_is_not_lost_either(tmp_path: Path) -> None:
    generated(tmp_path, managed("gen/a.py"))
    (tmp_path / "gen/a.py").write_bytes(b"mine\n")

    with pytest.raises(InputError, match="edited-by-hand"):
        generated(tmp_path)

    assert (tmp_path / "gen/a.py").read_bytes() == b"mine\n"


@pytest.mark.parametrize("force", ["gen/a.py", "gen"])
def test_force_gives_up_what_was_edited(tmp_path: Path, force: str) -> None:
    generated(tmp_path, managed("gen/a.py", b"old\n"))
    (tmp_path / "gen/a.py").write_bytes(b"mine\n")

    generated(tmp_path, managed("gen/a.py"), force=[force])

    assert (tmp_path / "gen/a.py").read_bytes() == b"new\n"


def test_force_of_one_path_does_not_cover_another_that_starts_alike(tmp_path: Path) -> None:
    generated(tmp_path, managed("gen/ab.py", b"old\n"))
    (tmp_path / "gen/ab.py").write_bytes(b"mine\n")

    with pytest.raises(InputError, match="edited-by-hand"):
        generated(tmp_path, managed("gen/ab.py"), force=["gen/a"])


def test_force_of_what_is_not_generated_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--force names nothing that is generated"):
        generated(tmp_path, managed("gen/a.py"), force=["gen/b.py"])


def test_a_file_of_the_user_in_the_way_of_a_new_managed_one_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"mine\n")

    with pytest.raises(InputError, match="a file that holdfast did not write is in the way"):
        generated(tmp_path, managed("a.py"))


def test_an_edit_that_equals_what_is_emitted_now_is_no_edit(tmp_path: Path) -> None:
    generated(tmp_path, managed("a.py", b"old\n"))
    (tmp_path / "a.py").write_bytes(b"new\n")

    assert generated(tmp_path, managed("a.py", b"new\n")).with_action(Action.UNCHANGED)


def test_a_managed_file_that_was_deleted_comes_back(tmp_path: Path) -> None:
    generated(tmp_path, managed("a.py"))
    (tmp_path / "a.py").unlink()

    assert [change.fault for change in generated(tmp_path, managed("a.py")).files] == [Fault.MISSING]
    assert (tmp_path / "a.py").exists()


def test_a_seeded_file_is_never_touched_again(tmp_path: Path) -> None:
    generated(tmp_path, seeded("app.py"))
    (tmp_path / "app.py").write_bytes(b"mine\n")

    generated(tmp_path, seeded("app.py", b"newer seed\n"))

    assert (tmp_path / "app.py").read_bytes() == b"mine\n"


@pytest.mark.parametrize("emit", [seeded("app.py"), handler(stub("buy"), path="app.py")])
def test_a_file_of_the_user_that_was_deleted_stays_deleted_until_forced(tmp_path: Path, emit: Emit) -> None:
    generated(tmp_path, emit)
    (tmp_path / "app.py").unlink()

    generated(tmp_path, emit)
    assert not (tmp_path / "app.py").exists()

    generated(tmp_path, emit, force=["app.py"])
    assert (tmp_path / "app.py").read_bytes() == emit.content


def test_a_seeded_file_that_the_user_wrote_first_is_kept(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_bytes(b"mine\n")

    generated(tmp_path, seeded("app.py"))

    assert (tmp_path / "app.py").read_bytes() == b"mine\n"


def test_a_new_rpc_gets_a_stub_and_the_rest_of_the_handler_stays(tmp_path: Path) -> None:
    generated(tmp_path, handler(stub("buy")))
    file = tmp_path / "src/p/handlers/shop.py"
    file.write_bytes(file.read_bytes().replace(b"raise errors.no()", b"return Res()  # mine") + b"\n# the end\n")
    before = file.read_bytes()

    generated(tmp_path, handler(stub("buy"), stub("sell")))

    assert b"async def sell" in file.read_bytes()
    assert all(line in file.read_bytes() for line in before.split(b"\n"))


def test_a_method_that_the_user_took_out_does_not_come_back(tmp_path: Path) -> None:
    generated(tmp_path, handler(stub("buy")))
    file = tmp_path / "src/p/handlers/shop.py"
    file.write_bytes(b"class Shop(Mixin, Base):\n    x = 1\n")

    generated(tmp_path, handler(stub("buy"), stub("sell")))

    assert b"def sell" in file.read_bytes()
    assert b"def buy" not in file.read_bytes()


def test_a_stub_that_found_no_place_is_tried_again_when_the_file_parses(tmp_path: Path) -> None:
    generated(tmp_path, handler(stub("buy")))
    file = tmp_path / "src/p/handlers/shop.py"
    good = file.read_bytes()
    file.write_bytes(good + b"def half(:\n")

    told = generated(tmp_path, handler(stub("buy"), stub("sell")))
    assert file.read_bytes() == good + b"def half(:\n"
    assert [path for path, _ in told.stubs] == [str(file)]
    assert [note.id for note in told.notes] == ["stub-not-added"]

    file.write_bytes(good)
    generated(tmp_path, handler(stub("buy"), stub("sell")))
    assert b"def sell" in file.read_bytes()


def test_what_the_contract_no_longer_has_is_told_with_its_line_and_kept(tmp_path: Path) -> None:
    generated(tmp_path, handler(stub("buy"), stub("sell", "Other")))
    file = tmp_path / "src/p/handlers/shop.py"
    before = file.read_bytes()

    told = generated(tmp_path, handler(stub("buy")))

    assert str(told.notes[0]).startswith(f"{file}:7: rpc-removed: Shop.sell is no longer in the contract")
    assert before.split(b"\n")[6].startswith(b"    async def sell")
    assert file.read_bytes() == before
    assert not generated(tmp_path, handler(stub("buy"))).notes


def test_a_removed_rpc_whose_signature_came_back_looks_like_a_rename(tmp_path: Path) -> None:
    generated(tmp_path, handler(stub("buy")))

    told = generated(tmp_path, handler(stub("purchase")))

    assert "looks like a rename: purchase" in str(told.notes[0])


def test_a_changed_request_type_is_told_with_its_line(tmp_path: Path) -> None:
    generated(tmp_path, handler(stub("buy")))

    told = generated(tmp_path, handler(stub("buy", "Order")))

    assert [(note.place.line, note.message) for note in told.notes] == [(4, "Shop.buy now takes Order, not Req")]


def test_a_service_that_left_the_contract_leaves_its_handler(tmp_path: Path) -> None:
    generated(tmp_path, handler(stub("buy")))

    told = generated(tmp_path)

    assert [(note.id, note.message) for note in told.notes] == [
        ("service-removed", "Shop is no longer in the contract")
    ]
    assert (tmp_path / "src/p/handlers/shop.py").exists()


def test_each_line_of_the_users_code_that_imports_what_is_gone_is_told(tmp_path: Path) -> None:
    base = managed("src/p/gen/services/shop.py", b"class ShopBase: ...\n")
    other = managed("src/p/gen/errors.py", b"")
    app = seeded("src/p/app.py", b"from .gen import errors\nfrom .gen.services.shop import ShopBase\n")
    test = seeded("tests/test_shop.py", b"import pytest\nimport p.gen.services.shop\nfrom p.gen.services import shop\n")
    generated(tmp_path, base, other, app, test)
    (tmp_path / "src/p/mine.py").write_bytes(b"import os\n\nfrom p.gen.services.shop import (\n    ShopBase,\n)\n")
    (tmp_path / "src/p/half.py").write_bytes(b"from p.gen.services.shop import (\n")

    told = generated(tmp_path, other, app, test)

    assert [(Path(note.place.file).name, note.place.line, note.id) for note in told.notes] == [
        ("app.py", 2, "import-lost"),
        ("mine.py", 4, "import-lost"),
        ("test_shop.py", 2, "import-lost"),
        ("test_shop.py", 3, "import-lost"),
    ]


def test_a_handler_that_app_py_does_not_mention_is_told(tmp_path: Path) -> None:
    app = seeded("src/p/app.py", b"from .handlers.shop import Shop\n\nwhole = Application([Shop()])\n")
    assert not generated(tmp_path, app, handler(stub("buy"))).notes

    new = handler(stub("rent", owner="Rental"), path="src/p/handlers/rental.py")
    told = generated(tmp_path, app, handler(stub("buy")), new)

    (note,) = told.notes
    assert (note.id, note.message, note.place.line) == ("not-wired", "app.py does not wire Rental", 3)


def test_existing_files_keep_their_mode_and_new_ones_follow_the_umask(tmp_path: Path) -> None:
    generated(tmp_path, managed("a.py", b"old\n"))
    (tmp_path / "a.py").chmod(0o604)
    umask = os.umask(0o027)
    try:
        generated(tmp_path, managed("a.py"), managed("b.py"))
    finally:
        os.umask(umask)

    assert (tmp_path / "a.py").stat().st_mode & 0o777 == 0o604
    assert (tmp_path / "b.py").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("path", ["../out.py", "/etc/out.py", "a/../../out.py", ".git/hooks/pre-commit", "a\\b.py"])
def test_an_emitted_path_cannot_leave_the_project(tmp_path: Path, path: str) -> None:
    with pytest.raises(InputError, match="unsafe-path"):
        generated(tmp_path, managed(path))


def test_nothing_is_written_through_a_link_that_leads_out(tmp_path: Path) -> None:
    project, outside = tmp_path / "project", tmp_path / "outside"
    project.mkdir()
    outside.mkdir()
    (project / "gen").symlink_to(outside)

    with pytest.raises(InputError, match="leads out of the project"):
        generated(project, managed("gen/a.py"))

    assert not list(outside.iterdir())


def test_nothing_is_pruned_through_a_link_that_leads_out(tmp_path: Path) -> None:
    project, outside = tmp_path / "project", tmp_path / "outside"
    project.mkdir()
    generated(project, managed("gen/a.py"))
    (project / "gen").rename(outside)
    (project / "gen").symlink_to(outside)

    with pytest.raises(InputError, match="leads out of the project"):
        generated(project)

    assert (outside / "a.py").exists()


def test_a_link_or_folder_in_the_place_of_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.py").symlink_to("/etc/passwd")
    (tmp_path / "b.py").mkdir()
    (tmp_path / "c").write_text("")

    with pytest.raises(InputError) as caught:
        generated(tmp_path, managed("a.py"), managed("b.py"), managed("c/d.py"))

    assert [finding.id for finding in caught.value.findings] == ["not-a-file", "not-a-file", "not-a-folder"]


def test_what_is_formatted_already_is_known_by_its_raw_hash(tmp_path: Path) -> None:
    raw = Emit("a.py", Owner.MANAGED, b"x = 1\n", "t", raw_hash="a" * 64)
    app = Emit("app.py", Owner.SEEDED, b"y = 1\n", "t", raw_hash="b" * 64)
    generated(tmp_path, raw, app)

    def known(tools: dict[str, str]) -> dict[str, bytes]:
        disk = Disk(tmp_path)
        return dict(formatted(disk, read_lock(disk), tools))

    assert known(TOOLS) == {"a" * 64: b"x = 1\n", "b" * 64: b""}
    assert known({"black": "2"}) == {}
    (tmp_path / "a.py").write_bytes(b"edited\n")
    assert known(TOOLS) == {"b" * 64: b""}


def test_faults_tell_stale_from_missing_from_orphaned(tmp_path: Path) -> None:
    generated(tmp_path, managed("a.py"), managed("b.py"), managed("c.py"))
    (tmp_path / "b.py").unlink()

    same = decided(tmp_path, managed("a.py", b"other\n"), managed("b.py"), managed("d.py"))
    assert [(change.path, change.fault) for change in same.files] == [
        ("a.py", Fault.STALE),
        ("b.py", Fault.MISSING),
        ("c.py", Fault.ORPHANED),
        ("d.py", Fault.STALE),
    ]

    other = decided(tmp_path, managed("a.py"), managed("b.py"), inputs="2")
    assert [(change.path, change.fault) for change in other.files] == [
        ("a.py", None),
        ("b.py", Fault.MISSING),
        ("c.py", Fault.STALE),
    ]
