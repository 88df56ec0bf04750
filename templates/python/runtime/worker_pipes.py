"""What ties a worker process to its supervisor: a pipe to say that it serves, and one that tells when it is alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from .loggable import json_line

VARIABLE: Final = "HOLDFAST_WORKER"
"""Set for workers only: the numbers of the two inherited file descriptors."""


@dataclass(frozen=True, slots=True)
class WorkerPipes:
    """`ready` says that the worker serves, and that it is ready; `alive` is never written, it ends with the supervisor."""

    ready: int
    alive: int

    def tell(self, event: Mapping[str, object], *, last: bool) -> None:
        """Say what this worker does now; `ready` in it, whether calls may be sent to it."""
        with suppress(BrokenPipeError):  # the supervisor has gone: `alive` tells, too
            os.write(self.ready, json_line(event))
        if last:
            os.close(self.ready)

    def variable(self) -> str:
        """The value of VARIABLE."""
        return f"{self.ready},{self.alive}"


def inherited(environ: Mapping[str, str]) -> WorkerPipes | None:
    """The pipes a supervisor left to this process, None where there is none."""
    value = environ.get(VARIABLE)
    if not value:
        return None
    ready, alive = value.split(",")
    return WorkerPipes(int(ready), int(alive))
