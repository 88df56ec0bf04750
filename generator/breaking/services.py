"""Rules about services and their RPCs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from google.protobuf.descriptor_pb2 import MethodOptions

from generator.breaking.pairs import rpcs, services
from generator.breaking.rule import ALWAYS, EVERYBODY, SOURCE, Audience, Change, Rule
from generator.breaking.schema import RpcNode, Schema, ServiceNode

_ANEW = "add an RPC of its own, and mark this one deprecated"


def _deleted(old: ServiceNode, new: ServiceNode) -> Iterator[Change]:
    for name, rpc in old.rpcs.items():
        if name not in new.rpcs:
            yield Change(rpc.full_name, f"rpc {rpc.full_name} is gone", new.place, rpc.full_name)


def _same(what: str, value: Callable[[RpcNode], str]) -> Callable[[RpcNode, RpcNode], Iterator[Change]]:
    """Finds RPCs of which something is not what it was; `what` says it with {before} and {after}."""

    def check(old: RpcNode, new: RpcNode) -> Iterator[Change]:
        before, after = value(old), value(new)
        if before != after:
            text = f"{new.full_name} {what.format(before=before, after=after)}"
            yield Change(new.full_name, text, new.place, new.full_name)

    return check


def _request(rpc: RpcNode) -> str:
    return rpc.proto.input_type.removeprefix(".")


def _response(rpc: RpcNode) -> str:
    return rpc.proto.output_type.removeprefix(".")


def _requests(rpc: RpcNode) -> str:
    return "a stream of requests" if rpc.proto.client_streaming else "one request"


def _responses(rpc: RpcNode) -> str:
    return "a stream of responses" if rpc.proto.server_streaming else "one response"


def _idempotency(rpc: RpcNode) -> str:
    return MethodOptions.IdempotencyLevel.Name(rpc.proto.options.idempotency_level)


RULES: tuple[Rule[Schema], ...] = (
    Rule(
        "RPC_NO_DELETE",
        SOURCE,
        EVERYBODY,
        "an RPC is gone",
        "keep it and mark it deprecated, until nobody calls it",
        services(_deleted),
    ),
    Rule(
        "RPC_SAME_REQUEST_TYPE",
        ALWAYS,
        EVERYBODY,
        "an RPC takes another message",
        "add fields to the message that it takes; or add an RPC of its own",
        rpcs(_same("takes {after}, not {before}", _request)),
    ),
    Rule(
        "RPC_SAME_RESPONSE_TYPE",
        ALWAYS,
        EVERYBODY,
        "an RPC answers another message",
        "add fields to the message that it answers; or add an RPC of its own",
        rpcs(_same("answers {after}, not {before}", _response)),
    ),
    Rule(
        "RPC_SAME_CLIENT_STREAMING",
        ALWAYS,
        EVERYBODY,
        "an RPC takes a stream and took one message, or the other way round",
        _ANEW,
        rpcs(_same("takes {after}, not {before}", _requests)),
    ),
    Rule(
        "RPC_SAME_SERVER_STREAMING",
        ALWAYS,
        EVERYBODY,
        "an RPC answers a stream and answered one message, or the other way round",
        _ANEW,
        rpcs(_same("answers {after}, not {before}", _responses)),
    ),
    Rule(
        "RPC_SAME_IDEMPOTENCY_LEVEL",
        ALWAYS,
        (Audience.GRPC, Audience.CODE),
        "an RPC promises another `idempotency_level`, on which retries depend",
        _ANEW,
        rpcs(_same("is {after}, not {before}", _idempotency)),
    ),
)
