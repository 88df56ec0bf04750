"""A rule about two versions of a service: what it compares, what it finds, whom that hits, and what to do instead."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from generator.errors import Place

T = TypeVar("T")


class Category(enum.Enum):
    """How much must stay as it is: buf's categories, the strictest first. Each is what its callers rely on."""

    FILE = "FILE"  # code that imports the generated modules
    PACKAGE = "PACKAGE"  # the same, whichever file of the package something is in
    WIRE_JSON = "WIRE_JSON"  # messages in both encodings, and routes
    WIRE = "WIRE"  # binary messages alone


class Audience(enum.Enum):
    """Who can be hit."""

    GRPC = "gRPC clients"
    REST = "REST clients"
    CODE = "code that imports the generated modules"


ALWAYS = frozenset(Category)
SOURCE = frozenset({Category.FILE, Category.PACKAGE})
JSON = frozenset({Category.FILE, Category.PACKAGE, Category.WIRE_JSON})
BOTH_WIRES = frozenset({Category.WIRE_JSON, Category.WIRE})
ONLY_FILE, ONLY_PACKAGE, ONLY_WIRE_JSON, ONLY_WIRE = (frozenset({category}) for category in Category)

EVERYBODY = tuple(Audience)


@dataclass(frozen=True, slots=True)
class Change:
    """What a rule finds: the subject, by which it can be accepted, and what happened to it.

    `element` is the full name of the type, service or RPC around it, from which follows whose calls it is in; "" for
    what is in all of them. `subject` is safe in a shell. `hits` is whom it hits, where that is not everybody whom the
    rule is about; `rpcs` are the full names of those it is about, where they do not follow from the element. `also` is
    another subject that it can be accepted by, "" for none.
    """

    subject: str
    what: str
    place: Place
    element: str = ""
    hits: tuple[Audience, ...] = ()
    rpcs: tuple[str, ...] = ()
    also: str = ""


@dataclass(frozen=True, slots=True)
class Rule(Generic[T]):
    """One rule: `find` compares what was with what is.

    `means` says what is found, `instead` how to get the same without breaking anybody.
    """

    id: str
    categories: frozenset[Category]
    hits: tuple[Audience, ...]
    means: str
    instead: str
    find: Callable[[T, T], Iterator[Change]]


@dataclass(frozen=True, slots=True)
class Break:
    """A change that breaks somebody, by the rule that found it."""

    rule: Rule[Any]
    change: Change

    @property
    def key(self) -> str:
        """What `--allow-breaking` takes."""
        return f"{self.rule.id}:{self.change.subject}"

    @property
    def hits(self) -> tuple[Audience, ...]:
        """Whom it can hit."""
        return self.change.hits or self.rule.hits
