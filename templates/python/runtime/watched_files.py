"""What some files hold, read again when they change."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from .starting import StartError

_ATTEMPTS: Final = 3  # to read all files in one state, while somebody writes them

_log = logging.getLogger(__name__)

_Stamp = tuple[tuple[int, int, int], ...]

MaterialT = TypeVar("MaterialT")


class WatchedFiles(Generic[MaterialT]):
    """What `read` makes of the files, by their state now.

    Asking costs no more than asking for the files' times, from whatever thread that happens in. Files that do not fit
    together, as while they are being replaced one by one, change nothing: what was good before is kept. `what` names
    them in the log. Raises StartError, which is `read`'s, where the files are no good to begin with.
    """

    def __init__(self, what: str, files: Sequence[str], read: Callable[[], MaterialT]) -> None:
        self._what = what
        self._files = tuple(files)
        self._read = read
        self._lock = threading.Lock()
        self._stamp: _Stamp | None = None
        self._material = self._load()

    def current(self) -> MaterialT:
        """The newest material that is good. Never raises."""
        with self._lock:
            if _stamp(self._files) != self._stamp:
                try:
                    self._material = self._load()
                except StartError as error:
                    _log.error("%s have changed, and cannot be used: %s; the former ones stay", self._what, error)
                else:
                    _log.info("%s have changed: new connections use them", self._what)
            return self._material

    def _load(self) -> MaterialT:
        for _ in range(_ATTEMPTS):
            before = _stamp(self._files)
            self._stamp = before  # a failure is not met again until a file changes again
            material = self._read()
            if _stamp(self._files) == before:
                break
        return material


def _stamp(files: Sequence[str]) -> _Stamp:
    """What tells one state of the files from another; a file that is not there has a stamp, too."""
    stamps = []
    for file in files:
        try:
            stat = os.stat(file)  # noqa: PTH116 - a Path costs twice as much, at each connection
        except OSError:
            stamps.append((0, 0, 0))
        else:
            stamps.append((stat.st_ino, stat.st_mtime_ns, stat.st_size))
    return tuple(stamps)
