"""Secrets at rest: who may read them, what survives, and what a wrong key does."""

from __future__ import annotations

import os
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.keys.master import KeyStoreError, derive, load_master_key
from adapters.keys.sealer import AesSealer
from adapters.keys.store import KeyRing, SecretStore
from domain.apikey import Principal, Role

OLD = Path(__file__).parents[2] / "golden" / "secrets" / "secrets.sql"
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


def test_a_data_folder_of_an_older_version_keeps_all_it_had(tmp_path: Path) -> None:
    """What phones, tokens, events and records were made with must be made the same for ever."""
    (tmp_path / "master.key").write_bytes(bytes(range(32)))
    (tmp_path / "master.key").chmod(0o600)
    with sqlite3.connect(tmp_path / "secrets.db") as old:
        old.executescript(OLD.read_text())
    old.close()
    with SecretStore(tmp_path) as store:
        assert store.ha1("acme", "1001", "acme.example", "SHA-256") == "1" * 64
        assert store.principal("switchlog_0123456789ab_key") == Principal("0123456789ab", Role.TENANT_ADMIN, "acme")
        assert store.unseal("s1.K9024YjcWzGAZtEuEPW6iOfr23Mjqbw0phVJlo46dN9L9J3u5Ww") == "inline:key"
        assert store.fingerprint(SECRETS) == "5f015fd7cc5226b0"
        identifier, nonce = store.wire_secret("identifier"), store.wire_secret("nonce")
    assert identifier.hex() == "09e6baff934cb8cd7b38c16f18808b471cfb23bd7fabb738e7d38025a407cf46"
    assert nonce.hex() == "167cb8fbadfc4a5ef2f9de406ad86fb87894b1920f8067b7fb4ff0a12a55846d"
    assert derive(bytes(range(32)), "clickhouse").hex()[:32] == "b3147c338cb6fbafb65771efb1bd178d"


def test_nodes_with_one_key_file_make_the_same_of_it(tmp_path: Path) -> None:
    key = tmp_path / "one.key"
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
    with SecretStore(folders[0], key) as a, SecretStore(folders[1], key, make_key=False) as b:
        assert a.wire_secret("identifier") == b.wire_secret("identifier")
        assert a.fingerprint(SECRETS) == b.fingerprint(SECRETS)
        assert b.unseal(a.seal("inline:key")) == "inline:key"
    assert not any((folder / "master.key").exists() for folder in folders)


def test_a_key_file_that_must_be_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(KeyStoreError, match=r"there is no key file .*one\.key: put a copy of the other nodes' there"):
        SecretStore(tmp_path, tmp_path / "one.key", make_key=False)
    assert not list(tmp_path.iterdir())


def test_a_mounted_key_file_of_somebody_else_may_be_for_our_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mounted.key"
    path.write_bytes(b"k" * 32)
    path.chmod(0o440)
    with pytest.raises(KeyStoreError, match="others may read"):
        load_master_key(path)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    assert load_master_key(path) == b"k" * 32
    path.chmod(0o444)
    with pytest.raises(KeyStoreError, match="others may read"):
        load_master_key(path)


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
