"""The templates as Jinja has compiled them, kept in the user's cache folder: compiling them takes as long as filling them."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import jinja2
from jinja2.bccache import Bucket, BytecodeCache

from generator import __version__
from generator.resources import cache_folder

_MARK = sha256().digest_size


class CompiledTemplates(BytecodeCache):
    """A file for each template, of use to the version that wrote it and for the very source it was compiled from.

    Where the folder cannot be read or written, or a file in it is damaged, templates are compiled as if there were none.
    """

    def __init__(self) -> None:
        self._folder = cache_folder() / "templates"
        self._version = f"holdfast {__version__}, Jinja {jinja2.__version__}\n".encode()

    def load_bytecode(self, bucket: Bucket) -> None:
        try:
            kept = (self._folder / bucket.key).read_bytes()
        except OSError:
            return
        content = kept[_MARK:]
        if kept[:_MARK] == self._mark(content):
            bucket.bytecode_from_string(content)

    def dump_bytecode(self, bucket: Bucket) -> None:
        content = bucket.bytecode_to_string()
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, draft = tempfile.mkstemp(dir=self._folder)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(self._mark(content) + content)
                Path(draft).replace(self._folder / bucket.key)
            except OSError:
                Path(draft).unlink(missing_ok=True)
                raise

    def _mark(self, content: bytes) -> bytes:
        """Stands before the content: whose it is, and that it is whole."""
        return sha256(self._version + content).digest()
