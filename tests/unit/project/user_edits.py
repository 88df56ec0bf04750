"""What users do to a handler file: each edit takes the file's bytes and gives them back as a user might have left them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_CLASS = re.compile(rb"^class \w+\([^)]*\):[ \t]*(?:#[^\r\n]*)?(?:\r\n|\n|\r)", re.MULTILINE)
_METHOD = re.compile(rb"^([ \t]+)(async def \w+)", re.MULTILINE)
_STUB = re.compile(
    rb"^[ \t]+async def (\w+)\([^\r\n]*\r?\n(?:(?:[ \t]+[^\r\n]*)?\r?\n){1,4}?[ \t]+raise [^\r\n]*(?:\r?\n|$)",
    re.MULTILINE,
)
_HALF = b"\ndef half_written(:\n"


def _below_the_class(text: bytes) -> Callable[[bytes], bytes]:
    """Lines, indented by four spaces, put first in the class, in its own indentation."""

    def edit(content: bytes) -> bytes:
        found = _CLASS.search(content)
        unit = b"\t" if re.search(rb"^\t", content, re.MULTILINE) else b"    "
        if found is None:
            return content
        return content[: found.end()] + text.replace(b"    ", unit) + content[found.end() :]

    return edit


def _method_body(content: bytes) -> bytes:
    return re.sub(rb"raise errors\.unimplemented\([^)]*\)", b"await mine('\xe2\x80\xa8')  # \xc3\xa9", content, count=1)


def _without_a_stub(content: bytes) -> bytes:
    return _STUB.sub(b"", content, count=1)


def _tabs(content: bytes) -> bytes:
    return re.sub(rb"^(?:    )+", lambda found: b"\t" * (len(found[0]) // 4), content, flags=re.MULTILINE)


def _decorated(content: bytes) -> bytes:
    return _METHOD.sub(rb"\1@(lambda function: function)\n\1\2", content, count=1)


def _crlf(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


EDITS: Mapping[str, Callable[[bytes], bytes]] = {
    "CRLF": _crlf,
    "LF": lambda content: content.replace(b"\r\n", b"\n"),
    "tabs": _tabs,
    "byte order mark": lambda content: content if content.startswith(b"\xef\xbb\xbf") else b"\xef\xbb\xbf" + content,
    "form feed between the lines": lambda content: content.replace(b"\n\n", b"\n\x0c\n", 1),
    "form feed before the class": lambda content: content.replace(b"\nclass ", b"\n\x0c\nclass ", 1),
    "line separators in strings": _below_the_class(b"    SEPARATED = 'a\xe2\x80\xa8b\xe2\x80\xa9c\xc2\x85d\x1c'\n"),
    "a text over lines": _below_the_class(b'    TEXT = """one\n  two\n\n\tthree\n"""\n'),
    "a statement over lines": _below_the_class(b"    NUMBER = 1 + \\\n  2\n"),
    "two statements on a line": _below_the_class(b"    ONE = 1; TWO = 2\n"),
    "a method": _below_the_class(b"    def mine(self) -> None: ...\n"),
    "a class inside": _below_the_class(b"    class Inner:\n        async def buy(self): ...\n"),
    "a decorated class": lambda content: content.replace(b"\nclass ", b"\n@(lambda owner: owner)\nclass ", 1),
    "a decorated method": _decorated,
    "a body": _method_body,
    "a stub taken out": _without_a_stub,
    "a comment at the end of the class": lambda content: content + b"\n    # to do: all of it\n",
    "no newline at the end": lambda content: content.rstrip(b"\r\n"),
    "code after the class": lambda content: content + b"\n\nVALUES = (\n    1,\n)\n",
    "an import of its own": lambda content: content.replace(b"\nfrom .", b"\nimport os as system\nfrom .", 1),
    "half-written code": lambda content: content + _HALF,
    "half-written code mended": lambda content: content.replace(_HALF, b""),
}
