"""What a change of the contract means for the code that a user wrote, as notes with file and line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from generator.errors import Finding, Place
from generator.project.disk import Disk
from generator.project.lock import Handled, Locked
from generator.project.own_code import parsed
from generator.project.paths import shown
from generator.project.renames import renamed_rpcs, renamed_service
from generator.project.stubs import Appended, method_line
from generator.project.wiring import composition, unmentioned
from generator.render.emit import Emit, Owner, Stub

_KINDS = {
    "unary": "unary",
    "client_stream": "client streaming",
    "server_stream": "server streaming",
    "bidi": "bidirectional",
}


def drift(disk: Disk, path: str, before: Sequence[Handled], stubs: Sequence[Stub]) -> Iterator[Finding]:
    """What happened to the RPCs of a handler file: gone, renamed, or with other messages or of another kind."""
    after = {(stub.class_name, stub.method): stub for stub in stubs}
    changed = [old for old in before if (stub := after.get(_key(old))) is None or Handled.of(stub) != old]
    tree = parsed(disk, path) if changed else None
    if tree is None:
        return
    known = set(map(_key, before))
    gone = [old for old in changed if _key(old) not in after]
    guesses = renamed_rpcs(gone, [Handled.of(stub) for key, stub in after.items() if key not in known])
    for old in changed:
        line = method_line(tree, old.class_name, old.method)
        if not line:
            continue
        place = Place(shown(disk.project, path), line)
        handler = f"{old.class_name}.{old.method}"
        stub = after.get(_key(old))
        if stub is None:
            guess = guesses.get(old)
            hint = f"it looks like a rename: {guess.method} is new, move the body there" if guess else "it was kept"
            yield Finding(place, "rpc-removed", f"{handler} is no longer in the contract", hint)
        elif difference := ", ".join(_differences(old, stub)):
            yield Finding(place, "rpc-changed", f"{handler} {difference}", f"make it `{stub.signature}`")


def _key(handled: Handled) -> tuple[str, str]:
    return handled.class_name, handled.method


def _differences(old: Handled, new: Stub) -> Iterator[str]:
    if old.request != new.request:
        yield f"now takes {new.request}, not {old.request}"
    if old.response != new.response:
        yield f"now answers {new.response}, not {old.response}"
    if old.kind != new.kind:
        yield f"is {_KINDS.get(new.kind, new.kind)} now, not {_KINDS.get(old.kind, old.kind)}"


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


def file_gone(disk: Disk, path: str, locked: Locked, new: Mapping[str, Sequence[Handled]]) -> Finding:
    """A file of the user's that nothing in the contract stands behind any more; `new` are those there are instead."""
    classes = ", ".join(dict.fromkeys(stub.class_name for stub in locked.stubs))
    message = f"{classes or 'what it was made for'} is no longer in the contract"
    guess = renamed_service(locked.stubs, new)
    hint = "it was kept; remove it when it is not needed"
    if guess:
        hint = f"it looks like a rename: move what is in it to {shown(disk.project, guess)}"
    return Finding(Place(shown(disk.project, path)), "service-removed", message, hint)


def unwired(disk: Disk, emits: Sequence[Emit]) -> Iterator[Finding]:
    """The handlers that the composition root does not mention."""
    handler_of = {stub.class_name: emit.path for emit in emits for stub in emit.stubs}
    for root in emits:
        if root.owner is Owner.SEEDED and root.path.endswith("/app.py"):
            tree = parsed(disk, root.path)
            place = Place(shown(disk.project, root.path), 0 if tree is None else composition(tree)[0])
            for class_name in unmentioned(tree, handler_of):
                hint = f"add the handler of {handler_of[class_name]}; until then the service answers UNIMPLEMENTED"
                yield Finding(place, "not-wired", f"app.py does not wire {class_name}", hint)
