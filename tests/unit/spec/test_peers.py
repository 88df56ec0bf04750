"""The error table of a dependency is found, checked as the service's own is, and needs nothing else of its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.errors import InputError
from generator.spec.load import load_text
from generator.spec.peers import PeerErrors, load_peers

ROWS = "{domain: stock.example.com, table: {OUT: {grpc: ABORTED, message: {en: 'no {sku}'}}}}"


def peers(folder: Path, text: str, path: str = "stock.yaml") -> PeerErrors:
    (folder / "stock.yaml").write_text(text)
    spec = load_text(f"spec: {{dependencies: {{a: {{contract: b.proto, target: b, errors: {path}}}}}}}\n", "s.yaml")
    return load_peers(spec, [folder / "nowhere", folder])["a"]


def refused(folder: Path, text: str, path: str = "stock.yaml") -> list[str]:
    with pytest.raises(InputError) as caught:
        peers(folder, text, path)
    return [str(finding).replace(f"{folder}/", "") for finding in caught.value.findings]


@pytest.mark.parametrize(
    "text",
    [
        f"errors: {ROWS}\n",
        f"spec: {{errors: {ROWS}}}\n",
        f"apiVersion: v9\nkind: Other\nmetadata: {{name: stock}}\nspec: {{newer: {{}}, errors: {ROWS}}}\n",
    ],
    ids=["a file of errors", "a spec", "a spec of another version"],
)
def test_a_table_stands_in_a_spec_or_alone(tmp_path: Path, text: str) -> None:
    found = peers(tmp_path, text)
    assert (found.domain, found.file, list(found.spec.body.errors.table)) == (
        "stock.example.com",
        tmp_path / "stock.yaml",
        ["OUT"],
    )


def test_without_a_domain_of_its_own_a_table_has_its_services_name(tmp_path: Path) -> None:
    assert (
        peers(tmp_path, "metadata: {name: stock}\nspec: {errors: {table: {OUT: {grpc: ABORTED}}}}\n").domain == "stock"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "errors:\n  domain: d\n  table:\n    OUT: {grpc: ABORT}\n",
            "stock.yaml:4:17: wrong-value: spec.errors.table.OUT.grpc: the text 'ABORT' is not the name of a gRPC",
        ),
        (
            "errors: {domain: d, table: {out: {grpc: ABORTED}}}\n",
            "stock.yaml:1:29: wrong-value: the name spec.errors.table.out",
        ),
        ("errors: {domain: d, table: {OUT: {grpc: ABORTED, colour: red}}}\n", "stock.yaml:1:50: unknown-key"),
        (
            "errors: {domain: d, table: {OUT: {grpc: ABORTED, message: {en: '{a}', zh: '{b}'}}}}\n",
            "stock.yaml:1:75: placeholders-differ",
        ),
        (f"errors: {ROWS}\nspecs: {{}}\n", "stock.yaml:2:1: unknown-key: unknown key specs beside errors"),
        ("errors: {table: {OUT: {grpc: ABORTED}}}\n", "stock.yaml:1:1: peer-errors: its errors have no domain"),
        ("errors: {domain: d}\n", "stock.yaml:1:1: peer-errors: its table has no rows"),
        ("spec: {deadline: {default: 1s}}\n", "stock.yaml:1:1: peer-errors: there is no error table: neither"),
        ("- a\n", "stock.yaml:1:1: peer-errors: there is no error table"),
        ("", "stock.yaml:1:1: peer-errors: there is no error table"),
        ("errors: [", "stock.yaml:1:"),
    ],
)
def test_what_is_wrong_with_a_table_is_told_at_its_place(tmp_path: Path, text: str, message: str) -> None:
    assert message in "\n".join(refused(tmp_path, text))


@pytest.mark.parametrize("path", ["/etc/stock.yaml", "../stock.yaml", "stock.proto", r"a\stock.yaml"])
def test_only_a_file_beside_the_inputs_is_read(tmp_path: Path, path: str) -> None:
    (line,) = refused(tmp_path, f"errors: {ROWS}\n", f"'{path}'")
    assert line.startswith(f"s.yaml:1:65: wrong-value: '{path}' is no path of a YAML file below contract/")


def test_a_table_that_is_not_there_is_told_where_it_is_named(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, "", "others.yaml")
    assert line.startswith(
        "s.yaml:1:65: peer-errors-not-found: there is no \"others.yaml\" for the dependency 'a'; put it"
    )
