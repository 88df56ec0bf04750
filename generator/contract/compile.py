"""Runs protoc in process and turns what it complains about into findings."""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import DecodeError

from generator.contract.sources import Sources, is_import_path, shown
from generator.errors import Finding, InputError, Place

_LOCATED = re.compile(r"(?P<file>.+?):(?P<line>\d+):(?P<column>\d+): (?P<warning>warning: )?(?P<text>.*)")
_UNLOCATED = re.compile(r"(?P<file>\S.*?\.proto): (?P<warning>warning: )?(?P<text>.*)")
_LOG_LINE = re.compile(r"[A-Z]\d{4} \d\d:\d\d|WARNING: All log messages before absl::InitializeLog")
_BROKEN_IMPORT = re.compile(r'Import "(?P<path>.*)" was not found or had errors\.')
_UNDEFINED = re.compile(r'"\S+" is not defined\.')
_NOT_UTF8 = re.compile(r"String field '(.+?)' contains invalid UTF-8")
_NOTE = "Note that "

_ESCAPE = re.compile(r"\\[xX0-7uU]")
_IMPORT = re.compile(r"\bimport\s+(?:public\s+|weak\s+|option\s+)?[\"']([^\"'\n]+)[\"']")
_BRACKET = re.compile(r"[][{}<>()]")
_DEEP = 64


def compile_protos(roots: Sequence[str], sources: Sources) -> FileDescriptorSet:
    """The descriptors of `roots` and all they import, dependencies first, with source info.

    Raises InputError with protoc's errors, each at its file, line and column. Warnings are not errors.
    """
    with tempfile.TemporaryDirectory(prefix="holdfast-") as scratch_name:
        scratch = Path(scratch_name)
        output = scratch / "contract.binpb"
        links: dict[str, str] = {}
        arguments = ["protoc", *_proto_paths(sources, scratch, links), "--include_imports", "--include_source_info"]
        arguments += [f"--descriptor_set_out={output}", *roots]
        status, complaints = _run_apart(arguments) if _may_crash(roots, sources) else run_protoc(arguments, scratch)
        if status == 0:
            with contextlib.suppress(DecodeError):  # text that is not UTF-8: protoc has complained about it
                return FileDescriptorSet.FromString(output.read_bytes())
    for link, path in links.items():
        complaints = complaints.replace(link, path)
    findings = _findings(complaints, sources)
    if not findings:
        place = Place(shown(sources.find(roots[0]) or Path(roots[0])))
        findings = [_unwritten(output, complaints) or _crash(place, status, complaints)]
    raise InputError(findings)


def _proto_paths(sources: Sources, scratch: Path, links: dict[str, str]) -> Iterator[str]:
    """protoc's search path. Provided files are named one by one: the folder they lie in holds more than them.

    protoc takes a path with a colon for several: such a one is reached by a link, noted in `links`.
    """

    def unsplit(path: Path) -> str:
        if os.pathsep not in str(path):
            return str(path)
        link = scratch / f"link{len(links)}"
        link.symlink_to(path)
        links[str(link)] = str(path)
        return str(link)

    for virtual, path in sources.provided.items():
        yield f"--proto_path={virtual}={unsplit(path)}"
    for folder in sources.include:
        yield f"--proto_path=={unsplit(folder)}"


def run_protoc(arguments: Sequence[str], scratch: Path) -> tuple[int, str]:
    """protoc's exit status and what it wrote to file descriptor 2, which `contextlib.redirect_stderr` cannot catch.

    `scratch` is a folder to catch that in.
    """
    from grpc_tools import protoc  # 10 ms that commands without a contract need not pay

    if sys.stderr is not None:
        sys.stderr.flush()
    with (scratch / "stderr").open("w+b") as captured:
        kept = os.dup(2)
        os.dup2(captured.fileno(), 2)
        try:
            status: int = protoc.main(list(arguments))
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        captured.seek(0)
        return status, captured.read().decode("utf-8", "replace")


def _run_apart(arguments: Sequence[str]) -> tuple[int, str]:
    """The same in a process of its own, which may crash. It costs some 60 ms."""
    command = [sys.executable, "-P", "-m", "grpc_tools.protoc", *arguments[1:]]
    done = subprocess.run(command, stderr=subprocess.PIPE, check=False)  # noqa: S603  # no shell, our own arguments
    return done.returncode, done.stderr.decode("utf-8", "replace")


def _may_crash(roots: Sequence[str], sources: Sources) -> bool:
    """Whether the user's files hold what can make protoc abort instead of complain.

    That is text that is not UTF-8, outright or by an escape, in an option; and nesting deep enough for a stack to
    overflow. What is read here is a superset: an import inside a comment counts too.
    """
    todo, seen = list(roots), set(roots)
    while todo:
        import_path = todo.pop()
        path = sources.find(import_path)
        if path is None or import_path in sources.provided:
            continue
        try:
            text = path.read_bytes().decode()
        except UnicodeDecodeError:
            return True
        except OSError:
            continue  # protoc says why
        if _ESCAPE.search(text) or _depth(text) > _DEEP:
            return True
        todo.extend(found for found in _IMPORT.findall(text) if found not in seen)
        seen.update(todo)
    return False


def _depth(text: str) -> int:
    depth = deepest = 0
    for bracket in _BRACKET.findall(text):
        depth += 1 if bracket in "{[<(" else -1
        deepest = max(deepest, depth)
    return deepest


def _unwritten(output: Path, complaints: str) -> Finding | None:
    """What the file system has against the descriptors, if that is what went wrong."""
    _, found, reason = complaints.strip().partition(f"{output}: ")
    return Finding(Place(str(output)), "cannot-write", reason[:1].lower() + reason[1:]) if found else None


def _crash(place: Place, status: int, complaints: str) -> Finding:
    if found := _NOT_UTF8.search(complaints):
        return Finding(place, "proto-error", f'the option "{found[1]}" is not UTF-8 somewhere in the contract')
    if status < 0:
        hint = "is something nested very deeply?"
        return Finding(place, "proto-error", f"protoc crashed ({signal.strsignal(-status)})", hint)
    return Finding(place, "proto-error", complaints.strip() or "protoc failed without saying why")


def _findings(complaints: str, sources: Sources) -> list[Finding]:
    """protoc's errors as findings: warnings and consequences dropped, notes joined to the error they explain."""
    findings: list[Finding] = []
    located = [found for line in complaints.split("\n") if (found := _LOCATED.fullmatch(line))]
    broken = {found["file"] for found in located}
    cut_off = {found["file"] for found in located if _BROKEN_IMPORT.fullmatch(found["text"])}
    for line in complaints.split("\n"):
        found = _LOCATED.fullmatch(line) or _UNLOCATED.fullmatch(line)
        if found is None:
            if line.strip() and not _LOG_LINE.match(line):
                _add_note(findings, line.strip())
            continue
        path = _on_disk(found["file"], sources)
        if found["warning"] or path is None:
            continue  # whoever imports what is not there says so too, and where
        if _is_utf16(path):  # of which protoc complains character by character
            wide = Finding(Place(shown(path), 1, 1), "proto-error", "the file is UTF-16", "save it as UTF-8")
            findings += [] if wide in findings else [wide]
            continue
        position = found.groupdict("0")
        place = Place(shown(path), int(position.get("line", 0)), int(position.get("column", 0)))
        if found["text"].startswith(_NOTE) and findings and findings[-1].place == place:
            _add_note(findings, found["text"])
            continue
        if found["file"] in cut_off and _UNDEFINED.fullmatch(found["text"]):
            continue  # what is not there may have it
        imported = _BROKEN_IMPORT.fullmatch(found["text"])
        import_source = sources.find(imported["path"]) if imported else None
        if imported and import_source is None:
            findings.append(_missing_import(place, imported["path"], sources))
        elif imported is None or str(import_source) not in broken:
            findings.append(Finding(place, "proto-error", found["text"].removesuffix(".")))
    return findings


def _is_utf16(path: Path) -> bool:
    """Whether the file begins with the byte order mark of UTF-16."""
    with path.open("rb") as file:
        return file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def _add_note(findings: list[Finding], text: str) -> None:
    """Adds a line that belongs to the error before it to that error's hint."""
    if findings:
        last = findings[-1]
        hint = f"{last.hint} {text}" if last.hint else text
        findings[-1] = Finding(last.place, last.id, last.message, hint)


def _missing_import(place: Place, import_path: str, sources: Sources) -> Finding:
    message = f'import "{import_path}" is not found'
    if not is_import_path(import_path):
        return Finding(place, "import-not-found", message, "an import is a plain path below a folder named with -I")
    searched = ", ".join(shown(folder) for folder in sources.include)
    hint = f"name the folder it is relative to with -I{f' (searched: {searched})' if searched else ''}"
    return Finding(place, "import-not-found", message, hint)


def _on_disk(reported: str, sources: Sources) -> Path | None:
    """The file protoc means: it reports the file's path where it opened one, else the import path."""
    path = Path(reported)
    return path if path.is_absolute() else sources.find(reported)
