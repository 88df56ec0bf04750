"""Handlers of orders.v1.OrderService: yours to fill in; new RPCs are added at the end of the class."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable

from google.protobuf.empty_pb2 import Empty
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money
from grpc import StatusCode

from ..gen import errors
from ..gen.clients import Clients
from ..gen.clients.inventory_errors import OutOfStock
from ..gen.pb.inventory.v1.inventory_pb2 import ReleaseRequest, ReserveRequest
from ..gen.pb.orders.v1.orders_pb2 import (
    CancelOrderRequest,
    CreateOrderRequest,
    DeleteOrderRequest,
    ExportOrdersRequest,
    GetOrderRequest,
    Line,
    ListOrdersRequest,
    ListOrdersResponse,
    Order,
    Quote,
    QuoteOrderRequest,
    SetNoteRequest,
    UpdateOrderRequest,
)
from ..gen.pb.payments.v1.payments_pb2 import ChargeRequest
from ..gen.services.order_service import OrderServiceBase
from ..runtime.call import Call
from ..runtime.errors import DependencyError

OWN_CURRENCY = "EUR"
PRICE = 5  # of any article, in whole euros
COUNTING = 0.001  # seconds the warehouse takes to count one piece
HOLDS = 600  # seconds that a quote holds
PAGE = 100  # orders
CHANGEABLE = frozenset({"note", "labels", "card", "invoice"})  # once an order is placed


class OrderService(OrderServiceBase):
    """Takes orders, finds them again, and ships them."""

    def __init__(self, clients: Clients) -> None:
        super().__init__(clients)
        self._orders: dict[str, Order] = {}  # by name, oldest first
        self._names: dict[tuple[str, str], str] = {}  # of orders, by customer and request id
        self._taken = 0

    async def get_order(self, request: GetOrderRequest, call: Call) -> Order:
        """Returns one order."""
        return self._find(request.name)

    async def list_orders(self, request: ListOrdersRequest, call: Call) -> ListOrdersResponse:
        """Lists a customer's orders, newest first."""
        found = [order for order in reversed(self._of(request.parent)) if _asked_for(order, request)]
        names = [order.name for order in found]
        if request.page_size < 0:
            raise errors.InvalidArgument(field="page_size")
        if request.page_token and request.page_token not in names:
            raise errors.InvalidArgument(field="page_token")
        start = names.index(request.page_token) if request.page_token else 0
        end = start + min(request.page_size or PAGE, PAGE)
        return ListOrdersResponse(orders=found[start:end], next_page_token="".join(names[end : end + 1]))

    async def create_order(self, request: CreateOrderRequest, call: Call) -> Order:
        """Places an order: reserves the stock, then charges the customer."""
        name = self._name(request)
        if name in self._orders:
            return self._orders[name]
        order = Order()
        order.CopyFrom(request.order)
        order.name = name
        order.state = Order.PLACED
        order.total.CopyFrom(_price(order.lines))
        order.create_time.GetCurrentTime()
        await self._reserve(order)
        await self._charge(order)
        self._orders[name] = order
        call.set_header("location", f"/v1/{order.name}")
        return order

    async def update_order(self, request: UpdateOrderRequest, call: Call) -> Order:
        """Changes the fields of an order that the mask names."""
        order = self._find(request.order.name)
        mask = request.update_mask
        if not mask.paths:  # everything that was sent
            mask.paths.extend(field.name for field, _ in request.order.ListFields() if field.name in CHANGEABLE)
        if not CHANGEABLE.issuperset(mask.paths):
            raise errors.InvalidArgument(field="update_mask")
        mask.MergeMessage(request.order, order, replace_message_field=True, replace_repeated_field=True)
        return order

    async def set_note(self, request: SetNoteRequest, call: Call) -> Order:
        """Replaces the delivery note of an order."""
        order = self._find(request.name)
        order.note.CopyFrom(request.note)
        return order

    async def cancel_order(self, request: CancelOrderRequest, call: Call) -> Order:
        """Cancels an order that has not shipped."""
        order = self._find(request.name)
        if order.state == Order.SHIPPED:
            raise errors.AlreadyShipped(order=order.name)
        if order.state != Order.CANCELLED:
            await self.clients.inventory.release(ReleaseRequest(order=order.name))
            order.state = Order.CANCELLED
        return order

    async def delete_order(self, request: DeleteOrderRequest, call: Call) -> Empty:
        """Forgets an order for good."""
        del self._orders[self._find(request.name).name]
        return Empty()

    async def quote_order(self, request: QuoteOrderRequest, call: Call) -> Quote:
        """Tells what a basket would cost right now."""
        currency = request.currency_code or OWN_CURRENCY
        rate = 1.0 if currency == OWN_CURRENCY else await self._rate(currency)
        await asyncio.sleep(COUNTING * _pieces(request.lines).total())
        expires = Timestamp()
        expires.GetCurrentTime()
        expires.seconds += HOLDS
        return Quote(total=_price(request.lines, currency, rate), expire_time=expires)

    async def export_orders(self, request: ExportOrdersRequest, call: Call) -> AsyncIterator[Order]:
        """Streams every order since a time, oldest first."""
        for order in self._of(request.parent):
            if order.create_time.ToNanoseconds() >= request.since.ToNanoseconds():
                yield order

    async def check_order(self, request: GetOrderRequest, call: Call) -> Empty:
        """Whether an order exists, without its content."""
        self._find(request.name)
        return Empty()

    async def _rate(self, currency: str) -> float:
        """What one of the shop's own currency is worth."""
        try:
            answer = await self.clients.fx.get("/rates/{base}", path={"base": OWN_CURRENCY}, query={"to": currency})
        except DependencyError as error:
            if error.code_received is StatusCode.NOT_FOUND:
                raise errors.InvalidArgument(field="currency_code") from error
            raise
        return float(answer.json()["rate"])

    def _find(self, name: str) -> Order:
        if name not in self._orders:
            raise errors.NotFound(resource=name)
        return self._orders[name]

    def _of(self, customer: str) -> list[Order]:
        return [order for name, order in self._orders.items() if name.startswith(f"{customer}/orders/")]

    def _name(self, request: CreateOrderRequest) -> str:
        """The order's name: the same for the same request id, so that nothing is reserved or charged twice."""
        attempt = (request.parent, request.request_id)
        if attempt not in self._names or not request.request_id:
            self._taken += 1
            self._names[attempt] = f"{request.parent}/orders/{self._taken}"
        return self._names[attempt]

    async def _reserve(self, order: Order) -> None:
        try:
            await self.clients.inventory.reserve(ReserveRequest(order=order.name, quantities=_pieces(order.lines)))
        except OutOfStock as error:  # of any other, the caller reads that a dependency is unavailable
            raise errors.OutOfStock(sku=error.sku, available=error.available) from error

    async def _charge(self, order: Order) -> None:
        try:
            charge = ChargeRequest(order=order.name, amount=order.total, card_number=order.card.number)
            await self.clients.payments.charge(charge)
        except DependencyError as error:
            if error.code_received is StatusCode.UNAVAILABLE:
                raise errors.LedgerDown from error
            raise


def _asked_for(order: Order, request: ListOrdersRequest) -> bool:
    if request.HasField("paid") and request.paid != (order.WhichOneof("payment") is not None):
        return False
    return not request.states or order.state in request.states


def _pieces(lines: Iterable[Line]) -> Counter[str]:
    """How many of each article the lines ask for."""
    pieces: Counter[str] = Counter()
    for line in lines:
        if line.quantity < 1:
            raise errors.InvalidArgument(field="lines.quantity")
        pieces[line.sku] += line.quantity
    if not pieces:
        raise errors.InvalidArgument(field="lines")
    return pieces


def _price(lines: Iterable[Line], currency: str = OWN_CURRENCY, rate: float = 1.0) -> Money:
    units, nanos = divmod(round(PRICE * _pieces(lines).total() * rate * 10**9), 10**9)
    return Money(currency_code=currency, units=units, nanos=nanos)
