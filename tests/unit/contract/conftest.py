"""Contracts written out in the test that reads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from generator.contract.load import load
from generator.contract.model import Contract
from generator.errors import Finding, InputError

Write = Callable[[dict[str, str]], Path]
Read = Callable[..., Contract]
Findings = Callable[..., list[Finding]]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes files, named by path, into a new folder, which becomes the working directory."""
    monkeypatch.chdir(tmp_path)

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode("utf-8", "surrogateescape"))
        return tmp_path

    return write


@pytest.fixture
def read(write: Write) -> Read:
    """Writes files and loads the named roots, or the first file."""

    def read(files: dict[str, str], *roots: str) -> Contract:
        folder = write(files)
        return load(roots or (next(iter(files)),), [folder])

    return read


@pytest.fixture
def findings(read: Read) -> Findings:
    """What is wrong with the contract that these files make."""

    def findings(files: dict[str, str], *roots: str) -> list[Finding]:
        with pytest.raises(InputError) as caught:
            read(files, *roots)
        return list(caught.value.findings)

    return findings
