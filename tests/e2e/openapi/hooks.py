"""What schemathesis needs to know: that NDJSON is a value a line, and that a call needs time.

A call that is given none is answered with 504 before anything is looked at. That is right, and would hide whatever else is
wrong: time-outs that are in order are made long.
"""

from __future__ import annotations

import json
import re
from typing import Any

import schemathesis

LONG = {"x-server-timeout": (r"[0-9]{1,9}(\.[0-9]{1,9})?", "30"), "grpc-timeout": (r"[0-9]{1,8}[HMSmun]", "30S")}
MEDIA_TYPE = "application/x-ndjson"


@schemathesis.deserializer(MEDIA_TYPE)
def lines_to_values(_: Any, response: Any) -> list[Any]:
    return [json.loads(line) for line in response.content.splitlines()]


@schemathesis.serializer(MEDIA_TYPE)
def values_to_lines(_: Any, values: Any) -> bytes:
    if not isinstance(values, list):
        return json.dumps([values]).encode()  # there are no lines that say this: let it be wrong in another way
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


@schemathesis.hook
def before_call(_: Any, case: Any, kwargs: Any) -> None:
    for name, value in list((case.headers or {}).items()):
        pattern, long = LONG.get(name.lower(), ("", ""))
        if pattern and re.fullmatch(pattern, str(value)):
            case.headers[name] = long
