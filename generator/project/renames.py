"""Guesses which new RPC, or service, one that is gone from the contract has become."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher

from generator.project.lock import Handled

_ALIKE = 0.5  # difflib's ratio from which two names are alike


def renamed_rpcs(gone: Sequence[Handled], new: Sequence[Handled]) -> Mapping[Handled, Handled]:
    """What each of `gone` may be called now, for those that there is a guess for; none of `new` is guessed twice.

    An RPC is taken for another of its class and kind with the same messages. Where only the request, or the response,
    was renamed with it (BuyRequest, PurchaseRequest), it is taken for the only other one, or for one whose name is alike.
    """
    scores = []
    for old in gone:
        for other in new:
            if (old.class_name, old.kind) == (other.class_name, other.kind):
                likeness = SequenceMatcher(None, old.method, other.method).ratio()
                if (old.request, old.response) == (other.request, other.response):
                    scores.append((2 + likeness, old, other))
                elif _shape(old) == _shape(other) and (likeness >= _ALIKE or len(gone) == len(new) == 1):
                    scores.append((1 + likeness, old, other))
    found: dict[Handled, Handled] = {}
    for _, old, other in sorted(scores, key=lambda score: -score[0]):
        if old not in found and other not in found.values():
            found[old] = other
    return found


def renamed_service(gone: Sequence[Handled], new: Mapping[str, Sequence[Handled]]) -> str:
    """The key of the `new` service with most of the methods of the one that is gone; "" without a guess."""
    methods = {handled.method for handled in gone}
    shared = {key: len(methods & {handled.method for handled in handles}) for key, handles in new.items()}
    best = max(shared, key=lambda key: shared[key], default="")
    return best if methods and shared.get(best, 0) * 2 > len(methods) else ""


def _shape(handled: Handled) -> Sequence[str]:
    """The messages' names without the RPC's own in them."""
    rpc = handled.rpc.rpartition("/")[2]
    return [name.rpartition(".")[2].removeprefix(rpc) for name in _messages(handled)]


def _messages(handled: Handled) -> Iterable[str]:
    return handled.request, handled.response
