"""Names of projects and packages."""

import pytest

from generator.errors import Place
from generator.project.names import name_findings, package_findings, package_of

HERE = Place("here")


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("shop", "shop"),
        ("Acme-Orders", "acme_orders"),
        ("acmeOrders2Go", "acme_orders2_go"),
        ("a.b-c_d", "a_b_c_d"),
        ("HTTPServer", "httpserver"),
    ],
)
def test_a_package_is_its_project_in_snake_case(name: str, package: str) -> None:
    assert package_of(name) == package
    assert not list(package_findings(package, HERE))


@pytest.mark.parametrize("name", ["a", "A1", "shop-api", "shop.api_2"])
def test_a_distribution_name_is_a_project_name(name: str) -> None:
    assert not list(name_findings(name, HERE))


@pytest.mark.parametrize("name", ["", "-a", "a-", "a b", "ä", "a/b", "..", "a\n", "x" * 200, '"', "\udc80"])
def test_another_is_none(name: str) -> None:
    assert [finding.id for finding in name_findings(name, HERE)] == ["project-name"]


@pytest.mark.parametrize(
    "package",
    [
        "",
        "1a",
        "a-b",
        "A",
        "ä",
        "a.b",
        "a\n",
        "class",
        "match",
        "grpc",
        "google",
        "json",
        "tests",
        "runtime",
        "x" * 200,
    ],
)
def test_a_package_must_be_importable_and_hide_nothing(package: str) -> None:
    assert [finding.id for finding in package_findings(package, HERE)] == ["package-name"]
