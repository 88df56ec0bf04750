"""The error table of a dependency is an input of the project: copied into a new one, and missed when it changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.errors import InputError
from generator.project.generating import generate
from generator.project.new import Request, new
from generator.project.settled import settled

SHOP = 'syntax = "proto3"; package shop; message M {} service Shop { rpc Buy(M) returns (M); }'
STOCK = 'syntax = "proto3"; package stock; message I {} service Stock { rpc Reserve(I) returns (I); }'
SPEC = "spec: {dependencies: {stock: {contract: stock.proto, errors: stock/errors.yaml, target: 'stock:1'}}}\n"
TABLE = "errors: {domain: stock.example.com, table: {OUT_OF_STOCK: {grpc: ABORTED}}}\n"
MODULE = "src/shop/gen/clients/stock_errors.py"


@pytest.fixture(params=["protos", "specs"], ids=["below an -I", "beside the spec"])
def shop(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A project whose inputs lay in two folders, the table in either of them."""
    for folder in ("protos", "specs"):
        (tmp_path / folder).mkdir()
    (tmp_path / "protos/shop.proto").write_text(SHOP)
    (tmp_path / "protos/stock.proto").write_text(STOCK)
    (tmp_path / "specs/resilience.yaml").write_text(SPEC)
    (tmp_path / request.param / "stock").mkdir()
    (tmp_path / request.param / "stock/errors.yaml").write_text(TABLE)
    dest = tmp_path / "shop"
    new(Request(dest, [str(tmp_path / "protos/shop.proto")], [tmp_path / "protos"], tmp_path / "specs/resilience.yaml"))
    return dest


def test_it_is_copied_below_the_contract_and_becomes_classes(shop: Path) -> None:
    assert (shop / "contract/stock/errors.yaml").read_text() == TABLE
    assert "class OutOfStock(PeerError):" in (shop / MODULE).read_text()
    assert settled(shop) is not None


def test_a_table_that_has_changed_makes_the_project_stale(shop: Path) -> None:
    (shop / "contract/stock/errors.yaml").write_text(TABLE.replace("OUT_OF_STOCK", "SOLD_OUT"))
    assert settled(shop) is None
    generate(shop)
    assert "class SoldOut(PeerError):" in (shop / MODULE).read_text()
    assert settled(shop) is not None


def test_a_table_that_has_gone_is_told_at_the_line_that_names_it(shop: Path) -> None:
    (shop / "contract/stock/errors.yaml").unlink()
    with pytest.raises(InputError) as caught:
        generate(shop)
    (finding,) = caught.value.findings
    assert (finding.id, finding.place.line, finding.place.column) == ("peer-errors-not-found", 1, 62)


def test_a_dependency_whose_table_is_not_named_has_no_module_of_errors(shop: Path) -> None:
    (shop / "resilience.yaml").write_text(SPEC.replace(" errors: stock/errors.yaml,", ""))
    generate(shop)
    assert not (shop / MODULE).exists()
