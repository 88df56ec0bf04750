"""Testing a service: samples, scripted handlers, the real server on free ports, and a caller for both protocols."""

from .client import Addresses, Client, Outcome, connected
from .direct import direct_call
from .entries import Entry, entries, one_of_each
from .failures import Failure, failures, predicates
from .refused import unknown_rpcs, unrouted, with_wrong_verb
from .rest_request import RestRequest, rest_request
from .samples import sample, variants
from .scripted import PATIENCE, Received, Script, Scripted, answering, echoing, failing, waiting
from .serving import Served, nothing_left_running, serving, under_test

__all__ = [
    "PATIENCE",
    "Addresses",
    "Client",
    "Entry",
    "Failure",
    "Outcome",
    "Received",
    "RestRequest",
    "Script",
    "Scripted",
    "Served",
    "answering",
    "connected",
    "direct_call",
    "echoing",
    "entries",
    "failing",
    "failures",
    "nothing_left_running",
    "one_of_each",
    "predicates",
    "rest_request",
    "sample",
    "serving",
    "under_test",
    "unknown_rpcs",
    "unrouted",
    "variants",
    "waiting",
    "with_wrong_verb",
]
