"""deploy/keys.sh: what it makes is what nodes need to know each other, and what is there it leaves alone."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

from adapters.keys.master import load_master_key
from switchlog.tls.certificate import client_context, server_context
from tests.deploy.files import DEPLOY

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")


def make(folder: Path, *nodes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(DEPLOY / "keys.sh"), str(folder), *nodes], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys") / "new"
    made = make(folder, "a", "b.example")
    assert (made.returncode, made.stdout, made.stderr) == (0, "", "")
    return folder


def shake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> tuple[str, ...]:
    """A handshake in memory with the node called `name`; returns whom the server sees. Raises ssl.SSLError."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (client.wrap_bio(down, up, server_hostname=name), server.wrap_bio(up, down, server_side=True))
    for _ in range(8):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    certificate: Any = ends[1].getpeercert()
    return tuple(value for kind, value in certificate["subjectAltName"] if kind == "DNS")


def contexts(folder: Path, node: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """As client and as server; strict about certificates, as later versions of Python are without being asked."""
    files = folder / f"link-{node}.crt", folder / f"link-{node}.key", folder / "link-ca.crt"
    both = client_context(*files), server_context(*files, "required")
    for one in both:
        one.verify_flags |= ssl.VERIFY_X509_STRICT
    return both


def test_two_nodes_know_each_other_by_name(keys: Path) -> None:
    (client, _), (_, server) = contexts(keys, "a"), contexts(keys, "b.example")
    assert shake(client, server, "b.example") == ("a",)


def test_a_node_is_not_another_one(keys: Path) -> None:
    (client, _), (_, server) = contexts(keys, "a"), contexts(keys, "b.example")
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake(client, server, "a")


def test_a_node_of_another_cluster_is_a_stranger(keys: Path, tmp_path: Path) -> None:
    assert make(tmp_path, "a").returncode == 0
    (client, _), (_, server) = contexts(tmp_path, "a"), contexts(keys, "b.example")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(client, server, "b.example")


def test_secrets_are_for_their_owner_and_the_master_key_is_one(keys: Path) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in keys.iterdir()}
    assert modes == {
        "master.key": 0o600,
        "link-ca.crt": 0o644,
        "link-ca.key": 0o600,
        **{f"link-{node}.crt": 0o644 for node in ("a", "b.example")},
        **{f"link-{node}.key": 0o600 for node in ("a", "b.example")},
    }
    assert len(load_master_key(keys / "master.key")) == 32


def test_a_node_comes_later_and_the_others_keep_theirs(keys: Path) -> None:
    before = {path.name: path.read_bytes() for path in keys.iterdir()}
    assert make(keys, "a", "c").returncode == 0
    after = {path.name: path.read_bytes() for path in keys.iterdir()}
    assert before.items() <= after.items()
    assert after.keys() - before.keys() == {"link-c.crt", "link-c.key"}
    (client, _), (_, server) = contexts(keys, "c"), contexts(keys, "a")
    assert shake(client, server, "a") == ("c",)


@pytest.mark.parametrize("words", [(), ("a b",), ("../x",)])
def test_what_is_no_node_is_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    made = make(tmp_path / "keys", *words)
    assert made.returncode == 2
    assert made.stderr
    assert not list(tmp_path.glob("**/link-*x*"))
