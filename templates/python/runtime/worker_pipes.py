"""What ties a worker process to its supervisor: a pipe to say that it serves, and one that tells when it is alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .loggable import json_line

VARIABLE: Final = "HOLDFAST_WORKER"
"""Set for workers only: the numbers of the two inherited file descriptors."""


@dataclass(frozen=True, slots=True)
class WorkerPipes:
    """`ready` is written once; `alive` is never written, it ends with the supervisor."""

    ready: int
    alive: int

    def tell(self, serving: Mapping[str, object]) -> None:
        """Say that this worker serves."""
        try:
            os.write(self.ready, json_line(serving))
            os.close(self.ready)
        except BrokenPipeError:  # the supervisor has gone: `alive` tells, too
            return

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
