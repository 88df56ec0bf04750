"""CPU quotas, read from files as the kernel writes them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from runtime.cpus import CpuUse, cpus

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


V2 = {
    "proc/self/cgroup": "0::/pod\n",
    "sys/fs/cgroup/pod/cpu.max": "200000 100000\n",
    "sys/fs/cgroup/pod/cpu.stat": "usage_usec 5000000\nuser_usec 4000000\n",
}
V1 = {
    "proc/self/cgroup": "4:cpu,cpuacct:/pod\n",
    "sys/fs/cgroup/cpu/pod/cpu.cfs_quota_us": "200000\n",
    "sys/fs/cgroup/cpu/pod/cpu.cfs_period_us": "100000\n",
    "sys/fs/cgroup/cpuacct/pod/cpuacct.usage": "5000000000\n",
}


@pytest.mark.parametrize(
    ("files", "usage", "later"),
    [
        (V2, "sys/fs/cgroup/pod/cpu.stat", "usage_usec 6000000\n"),
        (V1, "sys/fs/cgroup/cpuacct/pod/cpuacct.usage", "6000000000\n"),
    ],
    ids=["v2", "v1"],
)
def test_the_use_of_a_container_is_of_its_quota(tmp_path: Path, files: dict[str, str], usage: str, later: str) -> None:
    walls = iter([10.0, 11.0])
    use = CpuUse(write(tmp_path, files), wall=lambda: next(walls), own=lambda: 99.0)
    assert use.read() == 0.0
    (tmp_path / usage).write_text(later)
    assert use.read() == pytest.approx(50.0), "one second of CPU in one second, of two CPUs"


@pytest.mark.parametrize("broken", ["", "usage_usec\n", "usage_usec many\n"])
def test_without_a_quota_or_a_readable_file_the_use_is_this_processs_own(tmp_path: Path, broken: str) -> None:
    files = {**V2, "sys/fs/cgroup/pod/cpu.stat": broken} if broken else {}
    walls, owns = iter([10.0, 12.0]), iter([1.0, 2.0])
    use = CpuUse(write(tmp_path, files), wall=lambda: next(walls), own=lambda: next(owns))
    use.read()
    assert use.read() == pytest.approx(50.0 / (2 if broken else AVAILABLE))


def test_the_use_is_that_of_the_last_readings_only(tmp_path: Path) -> None:
    walls, own = iter(range(100)), [0.0]
    use = CpuUse(tmp_path, wall=lambda: float(next(walls)), own=lambda: own[0])
    for _ in range(20):
        own[0] += AVAILABLE
        use.read()
    assert use.read() > 80
    for _ in range(11):
        use.read()
    assert use.read() == 0.0
