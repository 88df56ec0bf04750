"""The CPU time of finding a route among few and among many, in the process of an emitted service.

Run as `python -m benchmarks.routing_cost --rounds N` with the emitted project's `src` on the path; prints JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time

from shop.gen.routes import ROUTES
from shop.runtime.definition import Route
from shop.runtime.routing import Match, Router

SIZES = (10, 100, 1000)  # routes
_CALLS = 5000  # of one sample
_OF_A_RESOURCE = (
    ("GET", ("*",), "", "/17"),
    ("GET", (), "", ""),
    ("POST", (), "", ""),
    ("DELETE", ("*",), "", "/17"),
    ("POST", ("*",), "archive", "/17:archive"),
)  # HTTP method, segments behind the collection, custom verb, and what stands for both in a path


def _routes(count: int) -> tuple[list[Route], list[tuple[str, str]]]:
    """So many routes, five for each resource, and a request for each: its HTTP method and its path."""
    routes, requests = [], []
    for number in range(count):
        collection = f"resources{number // len(_OF_A_RESOURCE)}"
        verb, behind, suffix, filled = _OF_A_RESOURCE[number % len(_OF_A_RESOURCE)]
        segments = ("v1", "shops", "*", collection, *behind)
        routes.append(Route(verb, "/" + "/".join(segments), segments, suffix, (), "", "", ROUTES[0].method))
        requests.append((verb, f"/v1/shops/eu/{collection}{filled}"))
    return routes, requests


def _sample(router: Router, requests: list[tuple[str, str]]) -> float:
    """CPU seconds of one look-up."""
    match = router.match
    began = time.process_time()
    for verb, path in requests:
        match(verb, path)
    return (time.process_time() - began) / len(requests)


def main() -> None:
    """Print the least cost of a look-up in seconds, by the number of routes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    routers: dict[int, tuple[Router, list[tuple[str, str]]]] = {}
    for size in SIZES:
        routes, requests = _routes(size)
        router = Router(routes)
        assert all(isinstance(router.match(*request), Match) for request in requests)
        routers[size] = router, random.Random(size).choices(requests, k=_CALLS)
    samples: dict[int, list[float]] = {size: [] for size in SIZES}
    for _ in range(given.rounds):
        for size, (router, requests) in routers.items():
            samples[size].append(_sample(router, requests))
    json.dump({str(size): min(taken) for size, taken in samples.items()}, sys.stdout)


if __name__ == "__main__":
    main()
