"""How many CPUs this process may use, the container's quota or its affinity, and how busy they are."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_READINGS: Final = 11


@dataclass(frozen=True, slots=True)
class Quota:
    """What a cgroup may use, in CPUs, and the file that says what it has used."""

    cpus: float
    usage: Path


def cpus(root: Path = Path("/")) -> int:
    """The CPUs of the cgroup's quota, rounded down, at least 1 and at most those the scheduler gives; no quota: those.

    Rounded down as a process that gets only part of a CPU is throttled. `root` stands for `/`.
    """
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found = quota(root)
    return available if found is None else max(1, min(available, int(found.cpus)))


def quota(root: Path = Path("/")) -> Quota | None:
    """The smallest quota of this process's cgroup and those above it (cgroup v2 `cpu.max`, v1 `cpu.cfs_*_us`)."""
    quotas: list[Quota] = []
    mount = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines() or ["0::/"]:
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if not controllers:
            quotas += [
                Quota(limit, folder / "cpu.stat")
                for folder in _upward(mount, path)
                if (limit := _v2(folder)) is not None
            ]
        elif "cpu" in controllers.split(","):
            for base in (mount / controllers, mount / "cpu"):
                quotas += [
                    Quota(limit, mount / "cpuacct" / folder.relative_to(base) / "cpuacct.usage")
                    for folder in _upward(base, path)
                    if (limit := _v1(folder)) is not None
                ]
    return min(quotas, key=lambda found: found.cpus, default=None)


def used(usage: Path) -> float | None:
    """CPU seconds that the cgroup has used, by `cpu.stat` (v2) or `cpuacct.usage` (v1); None where it cannot be read."""
    text = _read(usage)
    try:
        if usage.name == "cpuacct.usage":
            return int(text) / 1e9
        fields = dict(line.split(" ", 1) for line in text.splitlines())
        return int(fields["usage_usec"]) / 1e6
    except (ValueError, KeyError):
        return None


class CpuUse:
    """How busy the CPUs are that this process may use, in percent, over the last second or so of readings.

    With a quota it is the whole container's use of it; without, this process's of the CPUs it may run on.
    """

    def __init__(
        self,
        root: Path = Path("/"),
        wall: Callable[[], float] = time.monotonic,
        own: Callable[[], float] = time.process_time,
    ) -> None:
        self._quota = quota(root)
        self._cpus = float(cpus(root)) if self._quota is None else self._quota.cpus
        self._wall = wall
        self._own = own
        self._readings: deque[tuple[float, float]] = deque(maxlen=_READINGS)

    def read(self) -> float:
        """The use since the oldest of the last readings; 0 at the first."""
        found = None if self._quota is None else used(self._quota.usage)
        now, cpu = self._wall(), self._own() if found is None else found
        self._readings.append((now, cpu))
        then, before = self._readings[0]
        return 0.0 if now <= then else max(0.0, 100 * (cpu - before) / (now - then) / self._cpus)


def _upward(base: Path, path: str) -> list[Path]:
    folder = base / path.strip("/")
    return [folder, *(parent for parent in folder.parents if parent == base or base in parent.parents)]


def _v2(folder: Path) -> float | None:
    quota, _, period = _read(folder / "cpu.max").partition(" ")
    return _ratio(quota, period)


def _v1(folder: Path) -> float | None:
    return _ratio(_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us"))


def _ratio(quota: str, period: str) -> float | None:
    try:
        limit, of = int(quota), int(period)
    except ValueError:  # "max", or no such file
        return None
    return limit / of if limit > 0 and of > 0 else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
