"""What two schemas have in common, pair by pair: rules about one kind of thing as rules about whole contracts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from generator.breaking.rule import Change
from generator.breaking.schema import EnumNode, FieldNode, FileNode, MessageNode, RpcNode, Schema, ServiceNode

K = TypeVar("K")
T = TypeVar("T")

Find = Callable[[Schema, Schema], Iterator[Change]]


def files(check: Callable[[FileNode, FileNode], Iterator[Change]]) -> Find:
    """`check` for each file that is still there, by its import path."""
    return _each(lambda schema: schema.files, check)


def messages(check: Callable[[MessageNode, MessageNode], Iterator[Change]]) -> Find:
    """`check` for each message that is still there, by its full name, wherever it is declared."""
    return _each(lambda schema: schema.messages, check)


def enums(check: Callable[[EnumNode, EnumNode], Iterator[Change]]) -> Find:
    """`check` for each enum that is still there, by its full name."""
    return _each(lambda schema: schema.enums, check)


def services(check: Callable[[ServiceNode, ServiceNode], Iterator[Change]]) -> Find:
    """`check` for each service that is still there, by its full name."""
    return _each(lambda schema: schema.services, check)


def rpcs(check: Callable[[RpcNode, RpcNode], Iterator[Change]]) -> Find:
    """`check` for each RPC that is still there."""

    def find(before: Schema, after: Schema) -> Iterator[Change]:
        for old, new in _both(before.services, after.services):
            for pair in _both(old.rpcs, new.rpcs):
                yield from check(*pair)

    return find


def fields(check: Callable[[FieldNode, FieldNode], Iterator[Change]]) -> Find:
    """`check` for each field whose number is still there, extensions included."""

    def find(before: Schema, after: Schema) -> Iterator[Change]:
        for old, new in _both(before.messages, after.messages):
            for pair in _both(old.fields, new.fields):
                yield from check(*pair)
        for pair in _both(before.extensions, after.extensions):
            yield from check(*pair)

    return find


def _each(table: Callable[[Schema], Mapping[K, T]], check: Callable[[T, T], Iterator[Change]]) -> Find:
    def find(before: Schema, after: Schema) -> Iterator[Change]:
        for pair in _both(table(before), table(after)):
            yield from check(*pair)

    return find


def _both(before: Mapping[K, T], after: Mapping[K, T]) -> Iterator[tuple[T, T]]:
    for key, old in before.items():
        if key in after:
            yield old, after[key]
