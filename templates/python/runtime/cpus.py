"""How many CPUs this process may use: the container's quota, or its affinity."""

from __future__ import annotations

import os
from pathlib import Path


def cpus(root: Path = Path("/")) -> int:
    """The CPUs of the cgroup's quota, rounded down, at least 1 and at most those the scheduler gives; no quota: those.

    Rounded down as a process that gets only part of a CPU is throttled. `root` stands for `/`.
    """
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(root)
    return available if quota is None else max(1, min(available, int(quota)))


def _quota(root: Path) -> float | None:
    """The smallest quota of this process's cgroup and those above it (cgroup v2 `cpu.max`, v1 `cpu.cfs_*_us`)."""
    quotas: list[float] = []
    mount = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines() or ["0::/"]:
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if not controllers:
            quotas += [quota for folder in _upward(mount, path) if (quota := _v2(folder)) is not None]
        elif "cpu" in controllers.split(","):
            for base in (mount / controllers, mount / "cpu"):
                quotas += [quota for folder in _upward(base, path) if (quota := _v1(folder)) is not None]
    return min(quotas, default=None)


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
