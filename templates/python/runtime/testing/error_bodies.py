"""Reading the bodies of errors over REST, whichever of their shapes they have."""

from __future__ import annotations

import json

from google.protobuf import json_format
from google.rpc.status_pb2 import Status
from grpc import StatusCode


def error_status(body: bytes) -> Status:
    """The google.rpc.Status in an error body of any of the three shapes; UNKNOWN where it is none of them."""
    status = Status()
    try:
        value = json.loads(body)
        if list(value) == ["error"] and "details" in value["error"] and "status" not in value["error"]:
            value = value["error"]  # google.rpc.Status in a frame of its own
        if "error" in value and "title" in value["error"]:
            value = value["error"]  # RFC 9457's in a frame of its own
        if "error" in value:  # AIP-193
            error = value["error"]
            parsed = {"code": _number(error["status"]), "message": error["message"], "details": error["details"]}
        elif "title" in value:  # RFC 9457
            info = {name: value[name] for name in ("reason", "domain", "metadata")}
            first = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", **info}
            parsed = {"code": _number(value["code"]), "message": value["detail"], "details": [first, *value["details"]]}
        else:
            parsed = value
        json_format.ParseDict(parsed, status)
    except (ValueError, LookupError, TypeError, json_format.Error) as error:
        return Status(code=StatusCode.UNKNOWN.value[0], message=f"an error body that cannot be read: {error}")
    return status


def _number(name: str) -> int:
    number: int = StatusCode[name].value[0]
    return number
