"""Packs fetched over the transports that hosts of repositories have: HTTP, HTTPS and ssh, git on both ends."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path

import pytest
from runtime.testing.certificates import Authority

from generator.errors import InputError
from generator.project.generating import generate
from generator.project.new import Request, new
from tests.unit.project.git_server import git_server
from tests.unit.project.test_packs import NOTE, git, lock, pack, repository


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user is, with a cache and settings of git of its own, and nobody to ask for a password."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for name in ("GIT_ASKPASS", "SSH_ASKPASS"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """A folder with the repository acme.git, whose pack is of v1."""
    (tmp_path / "served").mkdir()
    repository(tmp_path / "served/acme.git", "over the network", "v1")
    return tmp_path / "served"


def refused(*packs: str) -> str:
    with pytest.raises(InputError) as raised:
        new(Request(Path("refused"), packs=packs))
    (told,) = raised.value.findings
    assert not Path("refused").exists()
    return str(told)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def server_side(authority: Authority, folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("git", addresses=["127.0.0.1"]).write(folder, "git"))
    return context


def test_over_http_it_is_fetched_once_and_locked_by_its_commit(here: Path, served: Path) -> None:
    with git_server(served) as url:
        source = f"git+{url}/acme.git@v1"
        new(Request(Path("shop"), packs=[source]))
    assert (here / "shop/NOTE.md").read_text() == "over the network"
    assert lock(here / "shop")["packs"] == {source: git(served / "acme.git", "rev-parse", "v1")}
    generate(here / "shop")  # nobody serves it any more


def test_a_commit_and_a_subdirectory_are_had_over_http_too(here: Path, served: Path) -> None:
    pack(served / "acme.git/deep", {NOTE: "deeper"})
    git(served / "acme.git", "add", ".")
    git(served / "acme.git", "commit", "--quiet", "--message", "deep")
    first, second = git(served / "acme.git", "rev-parse", "v1"), git(served / "acme.git", "rev-parse", "HEAD")
    with git_server(served) as url:
        new(Request(Path("old"), packs=[f"git+{url}/acme.git@{first}"]))
        new(Request(Path("young"), packs=[f"git+{url}/acme.git@{second}#subdirectory=deep"]))
    assert (here / "old/NOTE.md").read_text() == "over the network"
    assert (here / "young/NOTE.md").read_text() == "deeper"


def test_over_https_the_server_must_be_who_it_says(
    here: Path, served: Path, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with git_server(served, server_side(authority, tmp_path)) as url:
        source = f"git+{url}/acme.git@v1"
        told = refused(source)
        assert told.startswith("command line: pack-not-found: git: fatal: unable to access")
        assert "certificate" in told
        (tmp_path / "authority.pem").write_bytes(authority.certificate)
        monkeypatch.setenv("GIT_SSL_CAINFO", str(tmp_path / "authority.pem"))
        new(Request(Path("shop"), packs=[source]))
    assert (here / "shop/NOTE.md").read_text() == "over the network"


def test_a_password_is_gits_own_business_and_nobody_is_asked_for_one(here: Path, served: Path, tmp_path: Path) -> None:
    basic = base64.b64encode(b"ada:secret").decode()
    with git_server(served, authorization=f"Basic {basic}") as url:
        source = f"git+{url}/acme.git@v1"
        assert "could not read Username" in refused(source)
        (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ada password secret\n")
        new(Request(Path("shop"), packs=[source]))
    assert (here / "shop/NOTE.md").read_text() == "over the network"
    assert "secret" not in (here / "shop/pyproject.toml").read_text()


def test_what_the_server_does_not_have_is_told(here: Path, served: Path) -> None:
    with git_server(served) as url:
        assert "not found" in refused(f"git+{url}/none.git@v1")
        assert "couldn't find remote ref v2" in refused(f"git+{url}/acme.git@v2")
    assert "pack-not-found: git: fatal: unable to access" in refused(f"git+{url}/acme.git@v1")


def test_over_ssh_git_is_spoken_with_the_command_that_the_user_has(
    here: Path, served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In place of ssh stands a script that runs on this machine what ssh would run on the other."""
    script = tmp_path / "ssh"
    script.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\nfor last; do :; done\ncd {served} && eval "$last"\n')
    script.chmod(0o755)
    monkeypatch.setenv("GIT_SSH", str(script))
    monkeypatch.setenv("GIT_SSH_VARIANT", "simple")
    source = f"git+ssh://git@example.com{served}/acme.git@v1"
    new(Request(Path("shop"), packs=[source]))
    assert (here / "shop/NOTE.md").read_text() == "over the network"
    assert (tmp_path / "asked").read_text().startswith("git@example.com git-upload-pack ")


def test_another_protocol_is_not_spoken(here: Path) -> None:
    assert "its scheme one of https, ssh, file, http" in refused("git+git://127.0.0.1/acme.git@v1")
