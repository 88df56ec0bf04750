"""CPU quotas, read from files as the kernel writes them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from runtime.cpus import cpus

AVAILABLE = len(os.sched_getaffinity(0))


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, AVAILABLE),
        ({"sys/fs/cgroup/cpu.max": "max 100000\n"}, AVAILABLE),
        ({"sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1),
        ({"sys/fs/cgroup/cpu.max": "190000 100000\n"}, 1),
        ({"sys/fs/cgroup/cpu.max": "99900000 100000\n"}, AVAILABLE),
        (
            {"proc/self/cgroup": "0::/pod/app\n", "sys/fs/cgroup/pod/cpu.max": "100000 100000\n"},
            1,
        ),
        (
            {
                "proc/self/cgroup": "4:cpu,cpuacct:/pod\n",
                "sys/fs/cgroup/cpu,cpuacct/pod/cpu.cfs_quota_us": "100000\n",
                "sys/fs/cgroup/cpu,cpuacct/pod/cpu.cfs_period_us": "100000\n",
            },
            1,
        ),
        (
            {
                "proc/self/cgroup": "4:cpu:/pod\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            AVAILABLE,
        ),
        ({"sys/fs/cgroup/cpu.max": "garbage"}, AVAILABLE),
    ],
)
def test_the_workers_are_as_many_as_the_quota_has_whole_cpus(
    files: dict[str, str], expected: int, tmp_path: Path
) -> None:
    assert cpus(write(tmp_path, files)) == expected
