"""What a person is told of a generation."""

from pathlib import Path

from generator.project.changes import Action, Change, Changes
from generator.project.lock import Lock, dump
from generator.project.report import diff, summary
from generator.render.emit import Owner

LOCK = Lock("1", {}, {}, {})


def changes(*files: Change) -> Changes:
    return Changes(files, (), (), (), LOCK, dump(LOCK))


def change(action: Action, before: bytes | None, after: bytes | None, path: str = "gen/a.py") -> Changes:
    return changes(Change(path, Owner.MANAGED, action, before, after))


def test_each_changed_file_has_a_line_and_a_sign() -> None:
    files = [
        Change("a", Owner.MANAGED, Action.CREATED, None, b""),
        Change("b", Owner.MANAGED, Action.CHANGED, b"", b"x"),
        Change("c", Owner.MANAGED, Action.REMOVED, b"", None),
        Change("d", Owner.SEEDED, Action.KEPT, b"", b""),
        Change("e", Owner.MANAGED, Action.UNCHANGED, b"", b""),
    ]

    assert list(summary(Path("shop"), changes(*files))) == [
        "+ shop/a",
        "~ shop/b",
        "- shop/c",
        "1 created, 1 changed, 1 removed, 1 unchanged",
    ]
    assert "  shop/d  (kept)" in list(summary(Path("shop"), changes(*files), verbose=True))


def test_a_diff_names_the_sides_that_exist() -> None:
    assert list(diff(Path(), change(Action.CREATED, None, b"x\n")))[:2] == ["--- /dev/null", "+++ gen/a.py"]
    assert list(diff(Path(), change(Action.REMOVED, b"x\n", None)))[:2] == ["--- gen/a.py", "+++ /dev/null"]
    assert "+new" in list(diff(Path(), change(Action.CHANGED, b"old\n", b"new\n")))


def test_a_diff_does_not_drive_the_terminal() -> None:
    lines = list(diff(Path(), change(Action.CHANGED, b"", "\x1b[31m\u202e\tred".encode())))

    assert lines[-1] == "+\\u001b[31m\\u202e  red"


def test_what_is_not_for_reading_is_told_by_its_size() -> None:
    for content in (b"\0", b"\xff", b"x" * 2000):
        assert list(diff(Path(), change(Action.CHANGED, b"a", content))) == [f"gen/a.py: 1 bytes become {len(content)}"]
