"""Secrets at rest: who may read them, what survives, and what a wrong key does."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.keys.master import KeyStoreError, load_master_key
from adapters.keys.sealer import AesSealer
from adapters.keys.store import KeyRing, SecretStore
from domain.apikey import Principal, Role

SECRETS = {"acme.example": {"MD5": "0" * 32, "SHA-256": "1" * 64}}


def test_secrets_last_and_only_the_owner_may_read_them(tmp_path: Path) -> None:
    with SecretStore(tmp_path) as store:
        store.replace({("acme", "1001"): SECRETS})
        sealed, nonces = store.seal("key"), store.wire_secret("nonce")
    with SecretStore(tmp_path) as again:
        assert again.ha1("acme", "1001", "acme.example", "MD5") == "0" * 32
        assert again.ha1("acme", "1001", "other.example", "MD5") is None
        assert again.ha1("acme", "1001", "acme.example", "SHA-512") is None
        assert again.unseal(sealed) == "key"
        assert again.wire_secret("nonce") == nonces
        assert again.wire_secret("identifier") != nonces
        assert again.fingerprint(SECRETS) == again.fingerprint(dict(reversed(SECRETS.items())))
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        assert b"0" * 32 not in path.read_bytes()


def test_a_replacement_is_whole_and_none_forgets(tmp_path: Path) -> None:
    with SecretStore(tmp_path) as store:
        store.replace({("acme", "1001"): SECRETS, ("acme", "1002"): SECRETS})
        store.replace({("acme", "1001"): {"acme.example": {"MD5": "2" * 32}}, ("acme", "1002"): None})
        assert store.device("acme", "1001") == {"acme.example": {"MD5": "2" * 32}}
        assert store.device("acme", "1002") is None


def test_another_master_key_is_one_clear_line(tmp_path: Path) -> None:
    SecretStore(tmp_path).close()
    (tmp_path / "master.key").write_bytes(b"x" * 32)
    with pytest.raises(KeyStoreError, match=r"belongs to another master\.key"):
        SecretStore(tmp_path)


def test_a_key_file_that_others_may_read_or_that_is_damaged_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    path.write_bytes(b"short")
    path.chmod(0o600)
    with pytest.raises(KeyStoreError, match="damaged"):
        load_master_key(path)
    path.chmod(0o644)
    with pytest.raises(KeyStoreError, match="chmod 600"):
        load_master_key(path)


def test_a_foreign_file_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "secrets.db").write_bytes(b"this is not a database" * 100)
    with pytest.raises(KeyStoreError, match="cannot use the secrets"):
        SecretStore(tmp_path)


def test_processes_that_start_at_once_get_the_same_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: load_master_key(tmp_path / "master.key"), range(32)))
    assert len(keys) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["master.key"]


def test_a_second_process_sees_new_api_keys_at_once(tmp_path: Path) -> None:
    with SecretStore(tmp_path) as writer, SecretStore(tmp_path) as reader:
        ring = KeyRing(reader, [("bootstrap-key-0123", Principal("admin", Role.OPERATOR, None))])
        assert ring.principal("k1") is None
        writer.add_key("k1", Principal("id1", Role.ANALYST, "acme"))
        assert ring.principal("k1") == Principal("id1", Role.ANALYST, "acme")
        assert ring.principal("bootstrap-key-0123") == Principal("admin", Role.OPERATOR, None)


@given(st.text(max_size=200), st.text(max_size=20))
def test_unsealing_is_the_inverse_of_sealing_for_the_same_context(plain: str, context: str) -> None:
    sealer = AesSealer(b"k" * 32)
    sealed = sealer.seal(plain, context)
    assert sealer.unseal(sealed, context) == plain
    assert sealed.isprintable()
    assert not set(sealed) & set(" \t\r\n")
    with pytest.raises(ValueError, match="not sealed"):
        sealer.unseal(sealed, context + "x")
    with pytest.raises(ValueError, match="not sealed"):
        AesSealer(b"j" * 32).unseal(sealed, context)


@given(st.text(max_size=60))
def test_what_was_not_sealed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not sealed"):
        AesSealer(b"k" * 32).unseal(f"s1.{text}")


def test_credentials_that_stay_open_follow_every_change(tmp_path: Path) -> None:
    def ha1() -> str | None:
        return store.ha1("acme", "1001", "acme.example", "MD5")

    with SecretStore(tmp_path) as store:
        assert [ha1(), ha1()] == [None, None]
        for digit in "12":
            store.replace({("acme", "1001"): {"acme.example": {"MD5": digit * 32}}})
            assert [ha1(), ha1()] == [digit * 32] * 2
        assert store.ha1("globex", "1001", "acme.example", "MD5") is None
        assert store.ha1("acme", "1001", "acme.example", "SHA-256") is None
        store.replace({("acme", "1001"): None})
        assert [ha1(), ha1()] == [None, None]
