"""What a change of the contract means for the code that a user wrote, as notes with file and line."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from generator.errors import Finding, Place
from generator.project.disk import Disk
from generator.project.lock import Handled, Locked
from generator.project.paths import shown
from generator.project.stubs import Appended, method_line
from generator.render.emit import Emit, Owner, Stub


def drift(disk: Disk, path: str, before: tuple[Handled, ...], after: tuple[Handled, ...]) -> Iterator[Finding]:
    """What happened to the RPCs of a handler file: gone, renamed, or with other types."""
    tree = _parsed(disk, path) if before != after else None
    if tree is None:
        return
    now = {(handled.class_name, handled.method): handled for handled in after}
    known = {(handled.class_name, handled.method) for handled in before}
    new = [handled for handled in after if (handled.class_name, handled.method) not in known]
    for old in before:
        line = method_line(tree, old.class_name, old.method)
        if not line:
            continue
        place = Place(shown(disk.project, path), line)
        handler = f"{old.class_name}.{old.method}"
        current = now.get((old.class_name, old.method))
        if current is None:
            renamed = next((one for one in new if _signature(one) == _signature(old)), None)
            hint = f"it looks like a rename: {renamed.method} has the same signature" if renamed else ""
            yield Finding(place, "rpc-removed", f"{handler} is no longer in the contract", hint or "it was kept")
        elif _signature(current)[1:] != _signature(old)[1:]:
            yield Finding(place, "rpc-changed", f"{handler} {_difference(old, current)}")


def _signature(handled: Handled) -> tuple[str, str, str, bool]:
    return handled.class_name, handled.request, handled.response, handled.streaming


def _difference(old: Handled, new: Handled) -> str:
    parts = []
    if old.request != new.request:
        parts.append(f"now takes {new.request}, not {old.request}")
    if old.response != new.response:
        parts.append(f"now answers {new.response}, not {old.response}")
    if old.streaming != new.streaming:
        parts.append("is now an async generator" if new.streaming else "is no longer an async generator")
    return ", ".join(parts)


def left_out(disk: Disk, path: str, appended: Appended) -> Iterator[Finding]:
    """The stubs of a file that could not be inserted, and the names in it that stand for something else."""
    place = Place(shown(disk.project, path))
    for stub in appended.left:
        message = f"{stub.class_name}.{stub.method} was not added: {appended.reason}"
        yield Finding(place, "stub-not-added", message, "add it yourself; until then the RPC answers UNIMPLEMENTED")
    for needed in appended.shadowed:
        yield Finding(place, "name-taken", f"{needed.bound} is not what the new stubs mean by it: `{needed}`")


def without_file(disk: Disk, path: str, stub: Stub) -> Finding:
    """A new RPC whose handler file the user deleted."""
    message = f"the file was deleted: no stub for {stub.class_name}.{stub.method}"
    return Finding(Place(shown(disk.project, path)), "stub-not-added", message, f"bring it back with --force {path}")


def file_gone(disk: Disk, path: str, locked: Locked) -> Finding:
    """A file of the user's that nothing in the contract stands behind any more."""
    classes = ", ".join(dict.fromkeys(stub.class_name for stub in locked.stubs))
    message = f"{classes or 'what it was made for'} is no longer in the contract"
    return Finding(
        Place(shown(disk.project, path)), "service-removed", message, "it was kept; remove it when it is not needed"
    )


def unwired(disk: Disk, emits: Sequence[Emit]) -> Iterator[Finding]:
    """The handlers that the composition root does not mention."""
    for root in emits:
        if root.owner is not Owner.SEEDED or not root.path.endswith("/app.py"):
            continue
        tree = _parsed(disk, root.path)
        if tree is None:
            continue
        names = set(_mentioned(tree))
        for emit in emits:
            for class_name in dict.fromkeys(stub.class_name for stub in emit.stubs):
                if class_name not in names:
                    place = Place(shown(disk.project, root.path))
                    hint = f"add the handler of {emit.path}; until then the service answers UNIMPLEMENTED"
                    yield Finding(
                        place, "not-wired", f"{root.path.rpartition('/')[2]} does not wire {class_name}", hint
                    )


def _mentioned(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Name():
                yield node.id
            case ast.Attribute():
                yield node.attr
            case ast.alias():
                yield node.name
            case _:
                pass


def _parsed(disk: Disk, path: str) -> ast.Module | None:
    content = disk.read(path)
    if content is None:
        return None
    try:
        return ast.parse(content)
    except (SyntaxError, ValueError, RecursionError):
        return None
