"""What holds for every test: no run is spared its work by the record of an earlier one; how long properties are tried."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from generator.project import record

# No deadlines: an example's time says more about the machine than about the code.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fuzz", settings.get_profile("default"), max_examples=20_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session", autouse=True)
def no_records() -> Iterator[None]:
    """Every generation is done in full, in this process and in those that it starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(record.VARIABLE, "off")
        yield
