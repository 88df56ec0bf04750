"""What holds for every test of the runtime."""

from tests.nothing_left import (
    grpc_stays,
    nothing_left,
    nothing_left_by_module,
    nothing_left_in_loop,
    nothing_left_in_the_end,
)

__all__ = ["grpc_stays", "nothing_left", "nothing_left_by_module", "nothing_left_in_loop", "nothing_left_in_the_end"]
