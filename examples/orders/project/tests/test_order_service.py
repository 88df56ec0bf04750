"""Tests of OrderService: what it takes, refuses, remembers and gives back."""

import pytest

from orders.gen import errors
from orders.gen.pb.orders.v1.orders_pb2 import (
    CancelOrderRequest,
    CreateOrderRequest,
    DeleteOrderRequest,
    GetOrderRequest,
    Line,
    ListOrdersRequest,
    Note,
    Order,
    QuoteOrderRequest,
    UpdateOrderRequest,
)
from orders.gen.services.order_service import (
    CANCEL_ORDER,
    CREATE_ORDER,
    DELETE_ORDER,
    GET_ORDER,
    LIST_ORDERS,
    QUOTE_ORDER,
    UPDATE_ORDER,
)
from orders.handlers.order_service import OrderService
from orders.runtime.testing import direct_call

ADA = "customers/ada"


@pytest.fixture
def shop() -> OrderService:
    return OrderService(clients=None)


async def place(shop: OrderService, quantity: int, sku: str = "pen", request_id: str = "") -> Order:
    order = Order(lines=[Line(sku=sku, quantity=quantity)])
    request = CreateOrderRequest(parent=ADA, order=order, request_id=request_id)
    return await shop.create_order(request, direct_call(CREATE_ORDER))


async def test_a_placed_order_is_found_again_with_its_price(shop: OrderService) -> None:
    placed = await place(shop, 3)
    assert placed.total.units == 15
    assert await shop.get_order(GetOrderRequest(name=placed.name), direct_call(GET_ORDER)) == placed


async def test_the_same_request_id_places_one_order(shop: OrderService) -> None:
    assert (await place(shop, 1, request_id="a")).name == (await place(shop, 1, request_id="a")).name
    assert (await place(shop, 1, request_id="b")).name != (await place(shop, 1, request_id="a")).name


async def test_what_is_not_in_stock_is_refused_and_nothing_is_reserved(shop: OrderService) -> None:
    with pytest.raises(errors.OutOfStock) as refused:
        await place(shop, 4, sku="ink")
    assert refused.value.metadata["available"] == "3"
    assert await place(shop, 3, sku="ink")


async def test_a_cancelled_order_gives_its_stock_back_once(shop: OrderService) -> None:
    placed = await place(shop, 3, sku="ink")
    for _ in range(2):
        await shop.cancel_order(CancelOrderRequest(name=placed.name), direct_call(CANCEL_ORDER))
    with pytest.raises(errors.OutOfStock):
        await place(shop, 4, sku="ink")


async def test_an_update_changes_what_its_mask_names_and_nothing_else(shop: OrderService) -> None:
    placed = await place(shop, 1)
    change = UpdateOrderRequest(order=Order(name=placed.name, note=Note(text="ring twice"), invoice="7"))
    change.update_mask.paths.append("note")
    updated = await shop.update_order(change, direct_call(UPDATE_ORDER))
    assert (updated.note.text, updated.invoice) == ("ring twice", "")
    change.update_mask.paths.append("state")
    with pytest.raises(errors.InvalidArgument):
        await shop.update_order(change, direct_call(UPDATE_ORDER))


async def test_orders_are_listed_page_by_page_newest_first(shop: OrderService) -> None:
    placed = [(await place(shop, 1)).name for _ in range(3)]
    request = ListOrdersRequest(parent=ADA, page_size=2)
    first = await shop.list_orders(request, direct_call(LIST_ORDERS))
    request.page_token = first.next_page_token
    second = await shop.list_orders(request, direct_call(LIST_ORDERS))
    assert [order.name for order in (*first.orders, *second.orders)] == placed[::-1]
    assert second.next_page_token == ""


async def test_a_deleted_order_is_gone(shop: OrderService) -> None:
    placed = await place(shop, 1)
    await shop.delete_order(DeleteOrderRequest(name=placed.name), direct_call(DELETE_ORDER))
    with pytest.raises(errors.NotFound):
        await shop.get_order(GetOrderRequest(name=placed.name), direct_call(GET_ORDER))


@pytest.mark.parametrize("lines", [[], [Line(sku="pen")], [Line(sku="pen", quantity=-1)]])
async def test_a_basket_without_pieces_has_no_price(shop: OrderService, lines: list[Line]) -> None:
    with pytest.raises(errors.InvalidArgument):
        await shop.quote_order(QuoteOrderRequest(lines=lines), direct_call(QUOTE_ORDER))
