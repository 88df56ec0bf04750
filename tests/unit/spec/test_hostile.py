"""Whatever is fed to the loader, the answer is a spec or a list of findings, never another exception."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from generator.document import decode
from generator.errors import InputError
from generator.spec.fields import fields
from generator.spec.layers import client_layers, method_layers
from generator.spec.load import load_text
from generator.spec.model import ResilienceSpec, SpecBody
from generator.spec.resolve import resolve, resolve_client
from generator.spec.support import check_support

FULL = (Path(__file__).parent / "data/full.yaml").read_text(encoding="utf-8")
KEYS = sorted(
    {*fields(SpecBody), *fields(ResilienceSpec), "default", "max", "grpc", "kind", "GetOrder", "OOPS", "table"}
)

keys = st.sampled_from(KEYS) | st.text(max_size=8)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["1s", "5 sec", "64KiB", "cache", "off", "UNAVAILABLE", "gradient2", "<<", "&a", "*a", "1:30"])
)
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=20
)


def survives(text: str) -> None:
    """Reads and resolves; an exception other than InputError fails the test."""
    with contextlib.suppress(InputError):
        spec = load_text(text, "s.yaml")
        check_support(spec)
        for method in [*spec.body.methods, "Get"]:
            resolve(method_layers(spec, "shop.v1.Orders", method))
        for name in spec.body.dependencies:
            resolve_client(client_layers(spec, name, "Get"))


@given(st.text(max_size=200))
@example("\ud800")
@example("a: \ufeff")
@example("{" * 39 + "}" * 39)
@example("spec: {methods: &m {Get: {profile: *m}}}")
def test_any_text_is_a_spec_or_findings(text: str) -> None:
    survives(text)


@given(st.dictionaries(keys, trees, max_size=4))
def test_any_document_is_a_spec_or_findings(tree: dict[str, object]) -> None:
    survives(json.dumps(tree))
    survives(json.dumps({"spec": tree}))


@given(st.binary(max_size=200))
def test_any_bytes_are_text_or_findings(data: bytes) -> None:
    with contextlib.suppress(InputError):
        survives(decode(data, "s.yaml"))


@given(st.data())
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_a_spec_damaged_anywhere_is_a_spec_or_findings(data: st.DataObject) -> None:
    start = data.draw(st.integers(min_value=0, max_value=len(FULL) - 1))
    length = data.draw(st.integers(min_value=0, max_value=30))
    piece = data.draw(
        st.sampled_from(["", " ", "\t", "\n", ": ", "- ", "{", "}", "[", "]", "'", '"', "null", "1", "x", "&a ", "*a"])
    )
    survives(FULL[:start] + piece + FULL[start + length :])
