"""Names from a contract become Python identifiers that clash with nothing."""

import keyword

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.render import naming


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CreateOrder", "create_order"),
        ("GetIAMPolicy", "get_iam_policy"),
        ("HTTPServer", "http_server"),
        ("ListV1Beta2Things", "list_v1_beta2_things"),
        ("already_snake", "already_snake"),
        ("lowerCamel", "lower_camel"),
        ("A", "a"),
        ("SHOUT", "shout"),
        ("Get2FA", "get2_fa"),
    ],
)
def test_camel_case_becomes_snake_case_with_acronyms_and_numbers_kept_together(name: str, expected: str) -> None:
    assert naming.snake(name) == expected


def test_a_keyword_gets_a_trailing_underscore() -> None:
    assert naming.identifier("import") == "import_"


def test_names_that_differ_only_in_case_stay_different() -> None:
    assert naming.handler_methods(["GetOrder", "getOrder", "GETOrder"]) == {
        "GetOrder": "get_order",
        "getOrder": "get_order_2",
        "GETOrder": "get_order_3",
    }


def test_an_rpc_never_takes_the_name_of_what_the_base_class_holds() -> None:
    assert naming.handler_methods(["Clients", "Import"]) == {"Clients": "clients_2", "Import": "import_"}


@given(st.lists(st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,12}", fullmatch=True), unique=True, max_size=30))
def test_whatever_the_rpcs_are_called_the_methods_are_distinct_identifiers(names: list[str]) -> None:
    methods = list(naming.handler_methods(names).values())
    assert len(set(methods)) == len(names)
    assert all(method.isidentifier() and not keyword.iskeyword(method) for method in methods)


@pytest.mark.parametrize(("reason", "expected"), [("OUT_OF_STOCK", "OutOfStock"), ("E2E_FAILED", "E2eFailed")])
def test_a_reason_becomes_a_class_name(reason: str, expected: str) -> None:
    assert naming.pascal(reason) == expected


def test_a_type_whose_name_is_taken_is_called_after_its_package() -> None:
    assert naming.type_alias("acme.billing.v1", "Status", {"Status"}) == "BillingStatus"
    assert naming.type_alias("acme.billing.v1", "Status", set()) == "Status"


def test_a_type_never_hides_a_builtin() -> None:
    assert naming.type_alias("acme.v1", "str", set()) == "Acmestr"
