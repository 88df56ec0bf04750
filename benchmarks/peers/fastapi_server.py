"""The same route by hand on FastAPI and pydantic, with uvicorn's fastest settings and no access log."""

from __future__ import annotations

import sys
from enum import StrEnum

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel


class State(StrEnum):
    STATE_UNSPECIFIED = "STATE_UNSPECIFIED"
    DRAFT = "DRAFT"
    PLACED = "PLACED"


class Line(BaseModel):
    sku: str = ""
    quantity: int = 0
    price: float = 0.0


class Address(BaseModel):
    street: str = ""
    city: str = ""
    postcode: str = ""
    country: str = ""


class Order(BaseModel):
    customer: str = ""
    name: str = ""
    state: State = State.STATE_UNSPECIFIED
    lines: list[Line] = []
    address: Address | None = None
    labels: dict[str, str] = {}
    discount: float = 0.0
    gift: bool = False


app = FastAPI()


@app.post("/v1/customers/{customer}/orders")
async def place_order(customer: str, order: Order) -> Order:
    """Answer with the order, placed."""
    order.customer = customer
    order.state = State.PLACED
    return order


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False, log_level="warning")
