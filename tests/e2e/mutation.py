"""A way to break an emitted project, with the contract test that must notice, and the ways that are common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mutation:
    """Code appended to one module below `src/PACKAGE`, which changes what the module does, and the test to fail."""

    name: str
    module: str
    code: str
    noticed_by: str

    def __str__(self) -> str:
        return self.name

    @contextmanager
    def applied(self, package: Path) -> Iterator[None]:
        """The project broken inside, and whole again after."""
        file = package / self.module
        whole = file.read_bytes()
        file.write_bytes(whole + b"\n\n" + self.code.encode())
        try:
            yield
        finally:
            file.write_bytes(whole)


def without(stage: str, noticed_by: str) -> Mutation:
    """The stage is not in the chain."""
    code = f"ORDER = tuple(place for place in ORDER if place != {stage!r})\n"
    return Mutation(f"no {stage} stage", "runtime/pipeline.py", code, noticed_by)


def passing(module: str, stage: str, noticed_by: str, folder: str = "stages") -> Mutation:
    """The stage is in its place, and does nothing."""
    code = f"async def _pass(self, call, proceed):\n    await proceed(call)\n\n\n{stage}.__call__ = _pass\n"
    return Mutation(f"a {stage} that does nothing", f"runtime/{folder}/{module}.py", code, noticed_by)


def swapped(first: str, second: str) -> Mutation:
    """The two stages have changed places."""
    places = f"{{{first!r}: {second!r}, {second!r}: {first!r}}}"
    code = f"ORDER = tuple({places}.get(place, place) for place in ORDER)\n"
    noticed_by = "test_the_stages_are_the_declared_ones_in_the_declared_order"
    return Mutation(f"{second} before {first}", "runtime/pipeline.py", code, noticed_by)


CLIENT_CHAIN = "test_calls_have_the_declared_stages_in_the_declared_order"


def client_without(stage: str, noticed_by: str = CLIENT_CHAIN) -> Mutation:
    """The stage is not in the chain of calls to dependencies."""
    code = f"STAGES = tuple(made for made in STAGES if made[0] != {stage!r})\n"
    return Mutation(f"calls without the {stage} stage", "runtime/client/chain.py", code, noticed_by)


def client_swapped(first: str, second: str) -> Mutation:
    """The two stages of calls to dependencies have changed places."""
    code = f"""
_by_name = dict(STAGES)
_places = {{{first!r}: {second!r}, {second!r}: {first!r}}}
STAGES = tuple((_places.get(name, name), _by_name[_places.get(name, name)]) for name, _ in STAGES)
"""
    return Mutation(f"calls with {second} before {first}", "runtime/client/chain.py", code, CLIENT_CHAIN)
