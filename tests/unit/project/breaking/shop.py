"""A project whose contract and spec are changed, and what the commands say of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from generator.cli import main

CONTRACT = """\
syntax = "proto3";
package shop.v1;
import "google/api/annotations.proto";
import "shop/v1/kinds.proto";
service Shop {
  rpc Get(GetRequest) returns (Item) {
    option (google.api.http) = {get: "/v1/{name=items/*}"};
  }
  rpc Put(Item) returns (Item);
}
message GetRequest { string name = 1; }
message Item {
  string name = 1;
  string note = 2;
  Kind kind = 3;
  Size size = 4;
}
message Size { int32 width = 1; }
"""
KINDS = """\
syntax = "proto3";
package shop.v1;
enum Kind { KIND_UNSPECIFIED = 0; BOOK = 1; }
message Unused { string name = 1; }
"""
SPEC = """\
apiVersion: resilience.sre.io/v1
kind: ServiceResiliencePolicy
metadata: {name: shop}
spec:
  deadline: {default: 2s, max: 10s}
  errors:
    table:
      GONE: {grpc: NOT_FOUND, http: 410}
"""
HANDLER = "src/shop/handlers/shop.py"


def edit(file: str, before: str, after: str) -> None:
    path = Path(file)
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def contract(before: str, after: str) -> None:
    edit("contract/shop/v1/shop.proto", before, after)


def git(*arguments: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@test.example"]
    subprocess.run(["git", *who, *arguments], check=True, capture_output=True)


def commit(message: str = "one") -> None:
    if not Path(".git").exists():
        git("init", "--quiet", "--initial-branch=main")
    git("add", "--all")
    git("commit", "--quiet", "-m", message)


def tree() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


def run(capsys: pytest.CaptureFixture[str], *arguments: str, code: int) -> list[str]:
    """The findings that the command prints."""
    assert main(arguments) == code
    return capsys.readouterr().err.splitlines()


def keys(lines: Iterable[str]) -> list[str]:
    """What the findings say would accept them."""
    return [line.rpartition("--allow-breaking ")[2] for line in lines if ": breaking: " in line]


def document(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    assert main(["breaking", "--format", "json", *arguments]) == code
    loaded: dict[str, Any] = json.loads(capsys.readouterr().out)
    return loaded
