"""Testing a service: samples, scripted handlers, the real server on free ports, and a caller for both protocols."""

from .client import Addresses, Client, connected
from .direct import direct_call
from .entries import Entry, entries, one_of_each
from .failures import Failure, failures, predicates
from .http_received import HttpReceived
from .http_scripts import answering_json, by_request
from .leftovers import no_descriptor_left, nothing_left_behind
from .outcome import Outcome
from .refused import unknown_rpcs, unrouted, wrong_verbs
from .rest_request import RestRequest, rest_request
from .samples import sample, smallest, variants
from .scripted import (
    PATIENCE,
    Messages,
    Received,
    Script,
    Scripted,
    answering,
    echoing,
    failing,
    in_turn,
    unfinished,
    waiting,
)
from .scripted_dependencies import ScriptedDependencies, scripted_dependencies
from .serving import MECHANISMS, Served, serving, under_test
from .virtual_clock import HurriedClock, VirtualClock

__all__ = [
    "MECHANISMS",
    "PATIENCE",
    "Addresses",
    "Client",
    "Entry",
    "Failure",
    "HttpReceived",
    "HurriedClock",
    "Messages",
    "Outcome",
    "Received",
    "RestRequest",
    "Script",
    "Scripted",
    "ScriptedDependencies",
    "Served",
    "VirtualClock",
    "answering",
    "answering_json",
    "by_request",
    "connected",
    "direct_call",
    "echoing",
    "entries",
    "failing",
    "failures",
    "in_turn",
    "no_descriptor_left",
    "nothing_left_behind",
    "one_of_each",
    "predicates",
    "rest_request",
    "sample",
    "scripted_dependencies",
    "serving",
    "smallest",
    "under_test",
    "unfinished",
    "unknown_rpcs",
    "unrouted",
    "variants",
    "waiting",
    "wrong_verbs",
]
