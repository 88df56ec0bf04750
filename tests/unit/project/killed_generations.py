"""Kills `holdfast generate` again and again, at random moments, and says what each time was left of the project.

Run as a program: PROJECT SEED COUNT. In turn an RPC is added to the contract and taken away; a process of its own
generates and is killed by SIGKILL, at a random one of the events of the file system and the interpreter that Python
audits; then another generates in full. Prints one JSON object for each time.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from generator.cli import main
from generator.project.transaction import PENDING

_RPC = "  // Says goodbye.\n  rpc SayGoodbye(SayHelloRequest) returns (Farewell);\n"
_MORE = "\nmessage Farewell {}\n\nservice Clock { rpc Tick(Farewell) returns (stream Farewell); }\n"
_WRITING = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "shutil.copyfile")


def kill_again_and_again(project: Path, seed: int, count: int) -> Iterable[Mapping[str, object]]:
    """What was left, and what the next command said, for each of `count` kills."""
    proto = project / "contract/greeter.proto"
    small = proto.read_text()
    large = small.replace("service Greeter {\n", f"service Greeter {{\n{_RPC}") + _MORE
    choose = random.Random(seed)
    trees, events = {}, {}
    for contract in (large, small, large):  # the handlers are the user's, and keep what they were given
        proto.write_text(contract)
        events[contract] = _in_a_child(lambda: _counted(project))
        trees[contract] = _tree(project)
    for number in range(count):
        old, new = (large, small) if number % 2 == 0 else (small, large)
        proto.write_text(new)
        every, writing = events[new]
        last = number % 4 != 0  # three times in four among the events of writing, which are few
        moment = choose.randrange(1, writing + 1) if last else choose.randrange(1, every + 1)
        _in_a_child(lambda moment=moment, last=last: _killed(project, moment, writing=last))
        left = _tree(project)
        pending = (project / PENDING).exists()
        said = _in_a_child(lambda: _said(project))
        yield {
            "state": "pending" if pending else "old" if left == trees[old] else "new" if left == trees[new] else "torn",
            "in order": _tree(project) == trees[new],
            "said": "an interrupted run was" in str(said),
        }


def _tree(project: Path) -> Mapping[str, bytes]:
    """Everything but the contract, which is what the user has just changed."""
    files = (path for path in sorted(project.rglob("*")) if path.is_file() and path.suffix not in (".proto", ".pyc"))
    return {path.relative_to(project).as_posix(): path.read_bytes() for path in files}


def _counted(project: Path) -> tuple[int, int]:
    """The number of events of a whole run, and of those that write."""
    every = writing = 0

    def count(event: str, _: object) -> None:
        nonlocal every, writing
        every += 1
        writing += event in _WRITING

    sys.addaudithook(count)
    _said(project)
    return every, writing


def _killed(project: Path, moment: int, *, writing: bool) -> None:
    left = moment

    def count(event: str, _: object) -> None:
        nonlocal left
        left -= not writing or event in _WRITING
        if left == 0:
            left = -1  # the kill is an event, too
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    _said(project)


def _said(project: Path) -> str:
    """What `generate` prints, which must go well."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
        assert main(["generate", "--project", str(project)]) == 0
    return out.getvalue()


def _in_a_child(function: Callable[[], object]) -> object:
    """What the function returns in a process of its own; None where that is killed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.write(writer, json.dumps(function()).encode())
            status = 0
        except BaseException:  # noqa: BLE001 - whatever it is, this process must not go on as the other one
            traceback.print_exc()
        os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        content = file.read()
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        assert status == 0, "generate failed"
    return json.loads(content) if content else None


if __name__ == "__main__":
    main(["check", "--full", "--project", sys.argv[1], "--quiet"])  # loads what each child would load again
    for outcome in kill_again_and_again(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])):
        print(json.dumps(outcome), flush=True)
