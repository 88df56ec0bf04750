"""The CPU time of an order from JSON and to JSON, and of a request from path and query, in each of the ways there are.

In the process of an emitted service.

Run as `python -m benchmarks.codec_cost --rounds N` with the emitted project's `src` on the path; prints JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from urllib.parse import parse_qs

from google.protobuf import json_format
from shop.gen.bindings import binding
from shop.gen.codecs import generated
from shop.gen.pb.shop.v1.shop_pb2 import FindOrderRequest, Order
from shop.gen.routes import ROUTES
from shop.runtime.protojson.codec import Codec, read_body
from shop.runtime.transport.binding import Binding

from benchmarks.message import JSON

CAPTURED = ("ada",)
QUERY = b"states=PLACED&states=DRAFT&leastLines=3&after=1700000000000&gift=true&name=orders%2F17"
_CALLS = 2000  # of one sample


def _ways() -> dict[str, Callable[[], object]]:
    """What is timed, by name: `WAY read`, `WAY write`, `WAY both` and `WAY bind`."""
    ways: dict[str, Callable[[], object]] = {}
    codecs = {"generated": Codec(Order, generated("shop.v1.Order")), "by descriptor": Codec(Order)}
    order = json_format.Parse(JSON, Order())
    for name, codec in codecs.items():
        assert codec.decode(read_body(JSON)) == order
        assert json.loads(codec.encode(order)) == json.loads(JSON)
        ways[f"{name} read"] = lambda codec=codec: codec.decode(read_body(JSON))
        ways[f"{name} write"] = lambda codec=codec: codec.encode(order)
        ways[f"{name} both"] = lambda codec=codec: codec.encode(codec.decode(read_body(JSON)))
    ways["json_format read"] = lambda: json_format.Parse(JSON, Order())
    ways["json_format write"] = lambda: json_format.MessageToJson(order, indent=None).encode()
    ways["json_format both"] = lambda: json_format.MessageToJson(json_format.Parse(JSON, Order()), indent=None).encode()
    return ways | _bindings()


def _bindings() -> dict[str, Callable[[], object]]:
    """What makes a request of a path and a query, by `WAY bind`."""
    (route,) = (route for route in ROUTES if route.method.name == "FindOrder")
    codec = Codec(FindOrderRequest, generated("shop.v1.FindOrderRequest"))
    ours = Binding(route, codec, binding(route), ignore_unknown=False)
    assert ours.message(CAPTURED, ours.query(QUERY)) == _by_json_format()
    return {
        "generated bind": lambda: ours.message(CAPTURED, ours.query(QUERY)),
        "json_format bind": _by_json_format,
    }


def _by_json_format() -> FindOrderRequest:
    """As one binds by hand: the query's parameters as JSON, and all of it by descriptor."""
    fields: dict[str, object] = {"customer": CAPTURED[0]}
    for name, texts in parse_qs(QUERY.decode()).items():
        one = texts[0] == "true" if name == "gift" else texts[0]
        fields[name] = texts if name == "states" else one
    return json_format.ParseDict(fields, FindOrderRequest())


def _sample(way: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    began = time.process_time()
    for _ in range(_CALLS):
        way()
    return (time.process_time() - began) / _CALLS


def main() -> None:
    """Print the least cost of each way in seconds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    ways = _ways()
    samples: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(given.rounds):
        for name, way in ways.items():
            samples[name].append(_sample(way))
    json.dump({name: min(taken) for name, taken in samples.items()}, sys.stdout)


if __name__ == "__main__":
    main()
