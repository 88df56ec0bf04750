"""`python -m tests.runtime.limited_process`: the sample service with limits in a Redis, which REDIS_TARGET says where it is."""

from __future__ import annotations

from dataclasses import replace

from runtime.lifecycle import main
from runtime.snapshot import IdempotencyPolicy, RateLimitPolicy

from tests.runtime.fake_environment import NOBODY
from tests.runtime.sample_process import application
from tests.runtime.sample_service import COUNT, ECHO, POLICIES, definition

ADMITTED = 100
"""Calls of Count that are admitted; none comes back while a test lasts. Echo is not limited, and runs once for a key."""

_LIMIT = RateLimitPolicy("", rate=0.001, burst=ADMITTED, store="redis", store_timeout=5.0, on_store_error="reject")
_ONCE = IdempotencyPolicy("idempotency-key", store="redis", store_timeout=5.0)

if __name__ == "__main__":
    own = {
        COUNT.path: replace(POLICIES.methods[COUNT.path], rate_limit=_LIMIT),
        ECHO.path: replace(POLICIES.methods[ECHO.path], idempotency=_ONCE),
    }
    methods = {**POLICIES.methods, **own}
    raise SystemExit(main(definition(methods=methods, dependencies={"redis": NOBODY}), application))
