"""URIs of one instance: made, read again, and worth nothing to anybody else."""

from __future__ import annotations

from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from adapters.keys.store import SecretStore
from adapters.sip.message.uri import Uri
from adapters.sip.request import gruu
from adapters.sip.request.gruu import Meant
from domain.values import Contact
from tests.domain.world import contact
from tests.switchlog.exchange import PlainSealer

SEALER = PlainSealer()
MINE = msgspec.structs.replace(contact("1002", 7000), instance="urn:uuid:1", call_id="one")
OTHER = msgspec.structs.replace(contact("1002", 7001), instance="urn:uuid:2", call_id="two")


def meant(text: str, *contacts: Contact) -> Meant | None:
    uri = Uri.parse(text)
    return gruu.meant(uri, uri.user, lambda number: contacts if number == "1002" else (), SEALER.unseal)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters='<>"'), min_size=1, max_size=60))
def test_the_public_one_names_any_instance(instance: str) -> None:
    assert meant(gruu.public("1002", "acme.example", instance)) == Meant("1002", instance)


def test_the_temporary_one_lasts_as_long_as_the_registration() -> None:
    uri = gruu.temporary("1002", "acme.example", MINE, SEALER.seal)
    assert "urn:uuid:1" not in uri
    assert meant(uri, OTHER, MINE) == Meant("1002", "urn:uuid:1")
    assert meant(uri, OTHER) is None
    assert meant(uri, msgspec.structs.replace(MINE, call_id="rebooted")) is None


def test_what_the_real_sealer_makes_is_a_uri(tmp_path: Path) -> None:
    with SecretStore(tmp_path) as store:
        text = gruu.temporary("1002", "acme.example", MINE, store.seal)
        uri = Uri.parse(text)
        assert str(uri) == text
        assert gruu.meant(uri, uri.user, lambda _: (MINE,), store.unseal) == Meant("1002", "urn:uuid:1")
        forged = Uri.parse(text.replace("tgruu.s1.", "tgruu.s1.A"))
        assert gruu.meant(forged, forged.user, lambda _: (MINE,), store.unseal) is None


def test_what_is_no_gruu_of_ours_means_what_it_says() -> None:
    assert meant("sip:1002@acme.example") == Meant("1002")
    assert meant("sip:1002@acme.example;gr", MINE) == Meant("1002")
    assert meant("sip:tgruu.nonsense@acme.example", MINE) == Meant("tgruu.nonsense")
    assert meant("sip:tgruu.nonsense@acme.example;gr", MINE) is None
