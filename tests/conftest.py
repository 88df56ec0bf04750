"""What holds for every test: no run is spared its work by the record of an earlier one."""

from collections.abc import Iterator

import pytest

from generator.project import record


@pytest.fixture(scope="session", autouse=True)
def no_records() -> Iterator[None]:
    """Every generation is done in full, in this process and in those that it starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(record.VARIABLE, "off")
        yield
