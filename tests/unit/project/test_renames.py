"""What an RPC that is gone may be called now is guessed from what it takes and answers."""

import pytest

from generator.project.lock import Handled
from generator.project.renames import renamed_rpcs, renamed_service


def rpc(
    name: str, request: str = "", response: str = "shop.Order", kind: str = "unary", owner: str = "Shop"
) -> Handled:
    return Handled(owner, name.lower(), f"/shop.{owner}/{name}", kind, request or f"shop.{name}Request", response)


def guesses(gone: list[Handled], new: list[Handled]) -> dict[str, str]:
    return {old.method: other.method for old, other in renamed_rpcs(gone, new).items()}


def test_the_same_messages_make_a_rename() -> None:
    assert guesses([rpc("Buy", "shop.Req")], [rpc("Purchase", "shop.Req")]) == {"buy": "purchase"}


def test_messages_that_were_renamed_with_it_make_a_rename() -> None:
    assert guesses([rpc("Buy")], [rpc("Purchase")]) == {"buy": "purchase"}
    assert guesses([rpc("BuyOne"), rpc("Rent")], [rpc("BuySome"), rpc("Ship")]) == {"buyone": "buysome"}


def test_nothing_new_is_guessed_twice_and_the_most_alike_wins() -> None:
    gone = [rpc("BuyOne", "shop.Req"), rpc("SellOne", "shop.Req")]
    new = [rpc("SellMany", "shop.Req"), rpc("BuyMany", "shop.Req")]

    assert guesses(gone, new) == {"buyone": "buymany", "sellone": "sellmany"}
    assert guesses(gone, new[:1]) == {"sellone": "sellmany"}


@pytest.mark.parametrize(
    "new",
    [
        rpc("Purchase", "shop.Other"),
        rpc("Purchase", "shop.Req", response="shop.Receipt"),
        rpc("Purchase", "shop.Req", kind="bidi"),
        rpc("Purchase", "shop.Req", owner="Rental"),
    ],
)
def test_another_signature_is_no_rename(new: Handled) -> None:
    assert not guesses([rpc("Buy", "shop.Req")], [new])


def test_a_service_is_found_again_by_most_of_its_methods() -> None:
    gone = [rpc("Buy"), rpc("Sell"), rpc("Rent")]

    assert renamed_service(gone, {"a.py": [rpc("Buy"), rpc("Sell")], "b.py": [rpc("Rent")]}) == "a.py"
    assert not renamed_service(gone, {"b.py": [rpc("Rent")]})
    assert not renamed_service([], {"b.py": []})
