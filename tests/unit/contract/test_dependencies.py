"""The contracts of dependencies: their services are called, and not served."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from generator.contract.load import load
from generator.errors import InputError

Write = Callable[[dict[str, str]], Path]


SHOP = """
    syntax = "proto3"; package shop;
    message M {}
    service Shop { rpc Buy(M) returns (M); }
    """
STOCK = """
    syntax = "proto3"; package stock;
    import "stock/types.proto";
    import "google/api/annotations.proto";
    service Stock { rpc Reserve(Item) returns (Item) { option (google.api.http) = {get: "/{nothing}"}; } }
    """
TYPES = """
    syntax = "proto3"; package stock;
    message Item {}
    service Hidden { rpc Do(Item) returns (Item); }
    """


def test_the_services_of_a_dependency_are_called_and_not_served(write: Write) -> None:
    folder = write({"shop.proto": SHOP, "stock/stock.proto": STOCK, "stock/types.proto": TYPES})
    contract = load(["shop.proto"], [folder], ["stock/stock.proto"])
    assert [service.full_name for service in contract.services] == ["shop.Shop"]
    (stock,) = contract.dependencies["stock/stock.proto"]
    assert [rpc.path for rpc in stock.rpcs] == ["/stock.Stock/Reserve"]
    assert contract.rpc("/stock.Stock/Reserve") is None


def test_a_dependency_brings_its_types_and_no_routes(write: Write) -> None:
    folder = write({"shop.proto": SHOP, "stock/stock.proto": STOCK, "stock/types.proto": TYPES})
    contract = load(["shop.proto"], [folder], ["stock/stock.proto"])
    assert {"shop.M", "stock.Item"} <= contract.messages.keys()
    assert {"stock/stock.proto", "stock/types.proto"} <= {file.name for file in contract.descriptor_set.file}
    assert [path for path, file in contract.files.items() if file.root] == ["shop.proto"]
    assert contract.dependencies["stock/stock.proto"][0].rpcs[0].rules == ()


def test_a_dependency_that_is_not_there_is_left_to_whoever_named_it(write: Write) -> None:
    folder = write({"shop.proto": SHOP})
    assert load(["shop.proto"], [folder], ["stock.proto", "../x"]).dependencies == {}


def test_a_dependency_that_does_not_compile_is_told_with_its_line(write: Write) -> None:
    folder = write({"shop.proto": SHOP, "stock.proto": 'syntax = "proto3";\nmessage M { Nope a = 1; }\n'})
    with pytest.raises(InputError) as caught:
        load(["shop.proto"], [folder], ["stock.proto"])
    assert [(finding.place.file, finding.place.line) for finding in caught.value.findings] == [("stock.proto", 2)]


def test_what_is_served_may_be_called_too(write: Write) -> None:
    contract = load(["shop.proto"], [write({"shop.proto": SHOP})], ["shop.proto"])
    assert contract.dependencies["shop.proto"] == contract.services
