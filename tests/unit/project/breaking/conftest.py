"""The project, for each test anew."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from generator.project.new import Request, new
from tests.unit.project.breaking.shop import CONTRACT, KINDS, SPEC


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    (folder / "protos/shop/v1").mkdir(parents=True)
    (folder / "protos/shop/v1/shop.proto").write_text(CONTRACT)
    (folder / "protos/shop/v1/kinds.proto").write_text(KINDS)
    (folder / "spec.yaml").write_text(SPEC)
    protos = folder / "protos"
    new(Request(folder / "shop", [str(protos / "shop/v1/shop.proto")], [protos], folder / "spec.yaml"))
    return folder / "shop"


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own for each test, which is where the command runs."""
    folder = tmp_path / "shop"
    shutil.copytree(made, folder)
    monkeypatch.chdir(folder)
    return folder
