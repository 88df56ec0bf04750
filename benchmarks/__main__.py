"""The command: runs the benchmarks that are named, or all, and prints what they found."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from benchmarks import clients, codecs, generation, grpc_unary, rest_unary, routing, stages, start_up
from benchmarks.report import Section, table
from benchmarks.servers import CannotRunError

BENCHMARKS: Mapping[str, Callable[..., Section]] = MappingProxyType(
    {
        "grpc": grpc_unary.run,
        "rest": rest_unary.run,
        "start": start_up.run,
        "stages": stages.run,
        "clients": clients.run,
        "codecs": codecs.run,
        "routing": routing.run,
        "generate": generation.run,
    }
)


def main() -> int:
    """Returns 0 where every benchmark ran, whatever it found: this is a report and no test."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measured side by side, in one run.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which to run: {', '.join(BENCHMARKS)} (all)")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: a first impression")
    given = parser.parse_args()
    if unknown := [name for name in given.names if name not in BENCHMARKS]:
        parser.error(f"no such benchmark: {', '.join(unknown)} (there are {', '.join(BENCHMARKS)})")
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}\n")
    failed = False
    for name in given.names or BENCHMARKS:
        with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
            try:
                print(table(BENCHMARKS[name](Path(folder), quick=given.quick)), flush=True)
            except CannotRunError as error:
                print(f"{name}: could not run: {error}\n", file=sys.stderr)
                failed = True
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
