"""Tests of OrderService: what it takes, refuses, remembers and gives back."""

from collections.abc import Mapping
from typing import Any

import pytest
from google.protobuf.empty_pb2 import Empty
from grpc import StatusCode

from orders.fallbacks import InventoryFallbacks
from orders.gen import errors
from orders.gen.clients import Clients
from orders.gen.clients.fx import FxClient
from orders.gen.clients.inventory import InventoryClient
from orders.gen.clients.inventory_errors import OutOfStock
from orders.gen.clients.payments import PaymentsClient
from orders.gen.definition import DEFINITION
from orders.gen.pb.inventory.v1.inventory_pb2 import ReleaseRequest, Reservation, ReserveRequest
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
from orders.gen.pb.payments.v1.payments_pb2 import ChargeRequest, Receipt
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
from orders.runtime.client.http_response import HttpResponse
from orders.runtime.errors import DependencyError, ServiceError
from orders.runtime.testing import HurriedClock, answering, direct_call, failing, in_turn, scripted_dependencies

ADA = "customers/ada"


class Inventory(InventoryClient):
    """An inventory without a network: three inks, and what is held of them."""

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[str, Mapping[str, int]] = {}

    async def reserve(self, request: ReserveRequest, **_: object) -> Reservation:
        others = [quantities for order, quantities in self.held.items() if order != request.order]
        free = 3 - sum(quantities.get("ink", 0) for quantities in others)
        if request.quantities.get("ink", 0) > free:
            found = {"sku": "ink", "available": str(free)}
            raise OutOfStock("inventory", StatusCode.FAILED_PRECONDITION, metadata=found)
        self.held[request.order] = dict(request.quantities)
        return Reservation(id=request.order)

    async def release(self, request: ReleaseRequest, **_: object) -> Empty:
        self.held.pop(request.order)
        return Empty()


class Payments(PaymentsClient):
    """Payments without a network: what was charged, or a refusal."""

    def __init__(self) -> None:
        super().__init__()
        self.charged: list[tuple[str, int]] = []
        self.refuses: StatusCode | None = None

    async def charge(self, request: ChargeRequest, **_: object) -> Receipt:
        if self.refuses is not None:
            raise DependencyError("payments", self.refuses)
        self.charged.append((request.order, request.amount.units))
        return Receipt(id=request.order)


@pytest.fixture
def inventory() -> Inventory:
    return Inventory()


@pytest.fixture
def payments() -> Payments:
    return Payments()


class Fx(FxClient):
    """Rates without a network: dollars alone."""

    async def request(self, verb: str, template: str, body: object = None, **options: Any) -> HttpResponse:
        if options["query"] != {"to": "USD"}:
            raise DependencyError("fx", StatusCode.NOT_FOUND)
        return HttpResponse(200, b'{"rate": 1.25}')


@pytest.fixture
def shop(inventory: Inventory, payments: Payments) -> OrderService:
    return OrderService(Clients(inventory=inventory, payments=payments, fx=Fx()))


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


async def test_an_order_is_reserved_and_charged_once(
    shop: OrderService, inventory: Inventory, payments: Payments
) -> None:
    names = {(await place(shop, 2, sku="ink", request_id="a")).name for _ in range(2)}
    assert inventory.held == {name: {"ink": 2} for name in names}
    assert payments.charged == [(name, 10) for name in names]


async def test_payments_that_are_down_are_worth_another_try_of_the_same_order(
    shop: OrderService, inventory: Inventory, payments: Payments
) -> None:
    payments.refuses = StatusCode.UNAVAILABLE
    with pytest.raises(errors.LedgerDown):
        await place(shop, 3, sku="ink", request_id="a")
    payments.refuses = None
    placed = await place(shop, 3, sku="ink", request_id="a")
    assert list(inventory.held) == [placed.name]


async def test_any_other_failure_of_payments_is_left_to_the_service(shop: OrderService, payments: Payments) -> None:
    payments.refuses = StatusCode.INTERNAL
    with pytest.raises(DependencyError):
        await place(shop, 1)


async def test_an_order_is_cancelled_although_inventory_cannot_hear_of_it() -> None:
    there, down = answering(Reservation(id="1")), failing(lambda: ServiceError(StatusCode.UNAVAILABLE))
    fallbacks = [InventoryFallbacks()]
    async with scripted_dependencies(
        DEFINITION, InventoryClient, PaymentsClient, clock=HurriedClock(), fallbacks=fallbacks
    ) as called:
        called[InventoryClient].plays(in_turn(there, down))
        shop = OrderService(called.clients)
        placed = await place(shop, 1, sku="pen")
        cancelled = await shop.cancel_order(CancelOrderRequest(name=placed.name), direct_call(CANCEL_ORDER))
    assert cancelled.state == Order.CANCELLED


async def test_a_cancelled_order_gives_its_stock_back_once(shop: OrderService, inventory: Inventory) -> None:
    placed = await place(shop, 3, sku="ink")
    for _ in range(2):
        await shop.cancel_order(CancelOrderRequest(name=placed.name), direct_call(CANCEL_ORDER))
    assert inventory.held == {}


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


async def test_a_quote_may_be_in_another_currency(shop: OrderService) -> None:
    request = QuoteOrderRequest(lines=[Line(sku="pen", quantity=1)], currency_code="USD")
    quote = await shop.quote_order(request, direct_call(QUOTE_ORDER))
    assert (quote.total.currency_code, quote.total.units, quote.total.nanos) == ("USD", 6, 250_000_000)


async def test_a_quote_in_a_currency_without_a_rate_is_refused(shop: OrderService) -> None:
    request = QuoteOrderRequest(lines=[Line(sku="pen", quantity=1)], currency_code="XXX")
    with pytest.raises(errors.InvalidArgument):
        await shop.quote_order(request, direct_call(QUOTE_ORDER))


@pytest.mark.parametrize("lines", [[], [Line(sku="pen")], [Line(sku="pen", quantity=-1)]])
async def test_a_basket_without_pieces_has_no_price(shop: OrderService, lines: list[Line]) -> None:
    with pytest.raises(errors.InvalidArgument):
        await shop.quote_order(QuoteOrderRequest(lines=lines), direct_call(QUOTE_ORDER))
