"""What rendering yields: files in memory, each with its owner."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Owner(enum.Enum):
    """Who may change an emitted file after it was first written."""

    MANAGED = "managed"  # the generator: overwritten, and pruned when no longer emitted
    SEEDED = "seeded"  # the user: created once, never again
    APPENDED = "appended"  # the user; the generator adds stubs for new RPCs
    EJECTED = "ejected"  # the user, who took a managed file over; no file is emitted as one


@dataclass(frozen=True, slots=True, order=True)
class Import:
    """`from module import name [as alias]`; the module is relative to the file, as written."""

    module: str
    name: str
    alias: str = ""

    @property
    def bound(self) -> str:
        """The name that the import binds."""
        return self.alias or self.name

    def __str__(self) -> str:
        return f"from {self.module} import {self.name}" + (f" as {self.alias}" if self.alias else "")


@dataclass(frozen=True, slots=True)
class Stub:
    """A handler method that an appended file must have: where, its name, its source and what that imports."""

    class_name: str
    method: str
    source: str  # unindented, "async def …:\n    …\n"
    imports: tuple[Import, ...]
    rpc: str  # the gRPC path it serves
    kind: str  # of the RPC: "unary", "client_stream", "server_stream" or "bidi"
    request: str  # full name of the request message
    response: str  # full name of the response message

    @property
    def signature(self) -> str:
        """The `def` statement on one line, without what follows."""
        lines = self.source.split("\n")
        end = next((number for number, line in enumerate(lines) if line.endswith(":")), 0)
        return (
            " ".join(line.strip() for line in lines[: end + 1]).replace("( ", "(").replace(", )", ")").removesuffix(":")
        )


@dataclass(frozen=True, slots=True)
class Emit:
    """One file to emit; `path` is relative to the project, with forward slashes.

    `template` and `layer` say which template of which layer it came from, for the lock and `templates list`.
    `stubs` belong to appended files: all the methods such a file must have; `content` is the file where none
    exists yet. `raw_hash` is the SHA-256 of the content before it was formatted: what is unchanged by it needs
    no formatting.
    """

    path: str
    owner: Owner
    content: bytes
    template: str
    layer: str = "built-in"
    raw_hash: str = ""
    stubs: tuple[Stub, ...] = ()
