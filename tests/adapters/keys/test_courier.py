"""Secrets on their way to other nodes: there and back, and what does not open."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.keys.courier import KEY, REMOVED, SEALED, Courier, Device, HashedKey
from adapters.keys.master import KeyStoreError, key_id
from domain.apikey import Principal, Role
from domain.ports import Note

AT = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
HA1 = "0123456789abcdef" * 2
SECRETS = {"acme.example": {"MD5": HA1, "SHA-256": "1" * 64}}
ALICE = Device("acme", "alice/desk", SECRETS)
KEY_OF_ANALYST = HashedKey(b"h" * 32, Principal("0123456789ab", Role.ANALYST, None))
courier = Courier(b"k" * 32)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(texts.filter(lambda slug: "/" not in slug), texts, st.dictionaries(texts, st.dictionaries(texts, texts)))
def test_credentials_arrive_as_they_were_and_are_forgotten_by_another_note(
    tenant: str, username: str, secrets: dict[str, dict[str, str]]
) -> None:
    device = Device(tenant, username, secrets)
    assert Courier(b"k" * 32).open(courier.device(device, AT)) == device
    gone = msgspec.structs.replace(device, secrets=None)
    assert courier.open(courier.device(gone, AT)) == gone


def test_an_api_key_arrives_as_its_hash() -> None:
    assert courier.open(courier.api_key(KEY_OF_ANALYST, AT)) == KEY_OF_ANALYST


def test_a_note_tells_whose_secret_it_is_and_nothing_of_it() -> None:
    notes = [courier.device(ALICE, AT), courier.api_key(KEY_OF_ANALYST, AT)]
    assert [note.type for note in notes] == [SEALED, SEALED] == ["shard.secret.sealed.1"] * 2
    assert {(note.subject, note.time) for note in notes} == {("shard-64", AT)}
    said = [json.loads(note.data) for note in notes]
    assert [one["name"] for one in said] == ["device/acme/alice/desk", "apikey/0123456789ab"]
    assert {one["key"] for one in said} == {key_id(b"k" * 32)}
    for note in notes:
        assert HA1.encode() not in note.data and KEY_OF_ANALYST.hash.hex().encode() not in note.data


def changed(note: Note, **fields: str) -> Note:
    return msgspec.structs.replace(note, data=json.dumps(json.loads(note.data) | fields).encode())


def other(note: Note, kind: str) -> Note:
    return msgspec.structs.replace(note, type=kind)


@pytest.mark.parametrize(
    ("note", "why"),
    [
        (changed(courier.device(ALICE, AT), name="device/acme/bob"), "not sealed"),
        (changed(courier.device(ALICE, AT), name="apikey/0123456789ab"), "not sealed"),
        (other(courier.device(ALICE, AT), REMOVED), "not sealed"),
        (other(courier.device(Device("acme", "1001", None), AT), SEALED), "not sealed"),
        (changed(courier.device(ALICE, AT), sealed="s2.x"), "not sealed"),
        (Courier(b"j" * 32).device(ALICE, AT), "another master key"),
        (changed(Courier(b"j" * 32).device(ALICE, AT), key=key_id(b"k" * 32)), "not sealed"),
        (Note(SEALED, "shard-64", AT, b"noise"), "cannot be read"),
        (Note(SEALED, "shard-64", AT, b"{}"), "cannot be read"),
    ],
)
def test_what_is_not_as_it_was_sealed_does_not_open(note: Note, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        courier.open(note)


def test_notes_about_other_things_are_none_of_ours() -> None:
    assert courier.open(Note("shard.claimed.1", "shard-3", AT, b"{}")) is None
    assert courier.open(courier.check("0123", AT)) is None


def test_a_cluster_is_known_by_those_who_have_its_key() -> None:
    note = courier.check("0123", AT)
    assert note.type == KEY == "shard.key.1"
    assert courier.cluster(note) == "0123"
    with pytest.raises(KeyStoreError, match=f"has the id {key_id(b'j' * 32)}, and this cluster's has {courier.key_id}"):
        Courier(b"j" * 32).cluster(note)


@pytest.mark.parametrize(
    ("note", "why"),
    [
        (changed(courier.check("0123", AT), name="cluster/4567"), "not sealed"),
        (changed(courier.check("0123", AT), name="cluster/"), "names no cluster"),
        (other(courier.check("0123", AT), SEALED), "names no cluster"),
        (courier.device(ALICE, AT), "names no cluster"),
        (Note(KEY, "shard-64", AT, b"[]"), "cannot be read"),
    ],
)
def test_what_names_no_cluster(note: Note, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        courier.cluster(note)
