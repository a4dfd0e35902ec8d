"""What handshakes gave outlives processes, sealed, and no longer than its call."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec.structs import replace

from adapters.media.keyring import LONGEST_S, Keyring
from media.wire import Codec, Dtls, Leg, Sdes
from tests.adapters.media.test_offer import seal, unseal

KEYS = Sdes("AEAD_AES_128_GCM", bytes(range(28)), bytes(range(1, 29)))
SECURE = Dtls(False, "sha-256 AB", b"certificate", b"private key")
LEG = Leg("leg1", 20000, None, (Codec("PCMU", 0),), secure=SECURE)
KEYED = replace(LEG, secure=replace(SECURE, keys=KEYS))


def keyring(folder: Path | None) -> Keyring:
    return Keyring(folder, seal, unseal)


def test_keys_are_known_to_the_next_process_until_the_call_ends(tmp_path: Path) -> None:
    keyring(tmp_path / "keys").keep(KEYED)
    again = keyring(tmp_path / "keys")
    assert again.known(LEG) == KEYED
    again.drop(LEG.id)
    assert again.known(LEG) == LEG
    assert list((tmp_path / "keys").iterdir()) == []


def test_they_are_sealed_and_nobody_else_may_read_them(tmp_path: Path) -> None:
    keyring(tmp_path / "keys").keep(KEYED)
    (path,) = (tmp_path / "keys").iterdir()
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert path.read_text().startswith("sealed.")
    assert "private" not in unseal(path.read_text())


def test_keys_of_another_agreement_are_none_of_this_leg(tmp_path: Path) -> None:
    kept = keyring(tmp_path)
    kept.keep(KEYED)
    for other in (
        replace(SECURE, fingerprint="sha-256 CD"),
        replace(SECURE, active=True),
        replace(SECURE, certificate=b"another"),
        replace(SECURE, association="another"),
    ):
        leg = replace(LEG, secure=other)
        assert kept.known(leg) == leg


def test_only_keys_of_handshakes_are_kept(tmp_path: Path) -> None:
    kept = keyring(tmp_path)
    for leg in (LEG, replace(LEG, secure=KEYS), replace(LEG, secure=None)):
        kept.keep(leg)
        assert kept.known(leg) == leg
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_read_or_written_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    kept = keyring(tmp_path / "keys")
    for content in ("", "sealed.}{", seal("{}")):
        (tmp_path / "keys" / LEG.id).write_text(content)
        assert kept.known(LEG) == LEG
    kept.drop(LEG.id)
    (tmp_path / "keys").rmdir()
    kept.keep(KEYED)
    kept.drop(LEG.id)
    assert kept.known(LEG) == LEG


def test_what_was_left_behind_is_swept_up_after_a_day(tmp_path: Path) -> None:
    keyring(tmp_path).keep(KEYED)
    keyring(tmp_path)
    (path,) = tmp_path.iterdir()
    old = path.stat().st_mtime - LONGEST_S - 60
    os.utime(path, (old, old))
    keyring(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_nothing_is_kept() -> None:
    kept = keyring(None)
    kept.keep(KEYED)
    kept.drop(LEG.id)
    assert kept.known(LEG) == LEG
