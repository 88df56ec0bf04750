"""Testing a service: samples, scripted handlers, the real server on free ports, and a caller for both protocols."""

from .client import Addresses, Client, Outcome, connected, start
from .direct import direct_call
from .entries import Entry, entries, one_of_each
from .failures import Failure, failures, predicates
from .rest_request import RestRequest, rest_request
from .samples import sample, samples
from .scripted import PATIENCE, Received, Script, Scripted, answering, echoing, failing, waiting
from .serving import Served, nothing_left_running, serving, with_deadlines, with_policies, without_clients

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
    "samples",
    "serving",
    "start",
    "waiting",
    "with_deadlines",
    "with_policies",
    "without_clients",
]
