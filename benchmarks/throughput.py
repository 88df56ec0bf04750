"""Calls a second of several servers, side by side: they take turns, and what counts is the median over the rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.servers import Peer, load, serving


@dataclass(frozen=True, slots=True)
class Throughput:
    """One server's rounds: calls a second, and CPU seconds a call (none where the system does not tell)."""

    rates: tuple[float, ...]
    cpus: tuple[float, ...]

    @property
    def rate(self) -> float:
        return median(self.rates)

    @property
    def cpu(self) -> float | None:
        return median(self.cpus) if self.cpus else None

    def over(self, other: Throughput) -> float:
        """How many times the other's calls it serves: the median of the rounds' ratios, which drift leaves alone."""
        return median(mine / theirs for mine, theirs in zip(self.rates, other.rates, strict=True))

    def over_by_cpu(self, other: Throughput) -> float | None:
        """The same by CPU time: how many of its calls cost as much as one of the other's.

        What else the machine does delays calls, but takes hardly any of their CPU time.
        """
        if not self.cpus or not other.cpus:
            return None
        return median(theirs / mine for mine, theirs in zip(self.cpus, other.cpus, strict=True))


def measure(
    peers: Sequence[Peer], generator: str, *, connections: int, in_flight: int, rounds: int, seconds: float
) -> list[Throughput]:
    """Each peer's throughput under the load of `benchmarks.load.<generator>`, in the peers' order."""
    rates: list[list[float]] = [[] for _ in peers]
    cpus: list[list[float]] = [[] for _ in peers]
    with serving(peers) as servers:
        for number in range(-1, rounds):  # the first round only warms up
            turns = list(range(len(peers)))
            for turn in turns if number % 2 else reversed(turns):
                server = servers[turn]
                before = server.cpu_seconds()
                found = load(generator, server, connections, in_flight, seconds)
                after = server.cpu_seconds()
                if number < 0:
                    continue
                rates[turn].append(found.rate)
                if before is not None and after is not None:
                    cpus[turn].append((after - before) / found.every_call)
    return [Throughput(tuple(rate), tuple(cpu)) for rate, cpu in zip(rates, cpus, strict=True)]
