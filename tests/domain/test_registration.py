"""Bindings of an address-of-record: RFC 3261 10.3, by example and by law."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.base import Context, Event, Step
from domain.ids import registration_id
from domain.registering import MAX_CONTACTS, MIN_EXPIRES_S, ContactWish, Register, RegisterRefused, register
from domain.registration import Registration, deadline, expire
from tests.domain.world import START, UDP, seconds

STREAM = registration_id("acme", "1001", 0, bytes(8))


def step(registration: Registration | None, at_s: float = 0) -> Step:
    context = Context("acme", str(STREAM), "c", "sip:1001", "a", 1)
    return Step(STREAM, registration.version if registration else 0, START + seconds(at_s), context)


def ask(
    *wishes: ContactWish,
    expires_s: int | None = 300,
    cseq: int = 1,
    call_id: str = "one",
    wildcard: bool = False,
    device: str = "1001",
    whole: bool = True,
) -> Register:
    return Register(
        tenant="acme",
        number="1001",
        device=device,
        whole=whole,
        wildcard=wildcard,
        contacts=wishes,
        expires_s=expires_s,
        call_id=call_id,
        cseq=cseq,
        path=(),
        user_agent="test",
    )


def wish(uri: str = "sip:a@h", expires_s: int | None = None, instance: str = "") -> ContactWish:
    return ContactWish(uri, UDP, instance, expires_s)


def after(registration: Registration | None, events: tuple[Event, ...]) -> Registration:
    for event in events:
        registration = cast("Registration | None", event.mutate(registration))
    assert registration is not None
    return registration


def bound(*asks: Register) -> Registration:
    registration: Registration | None = None
    for one in asks:
        registration = after(registration, register(registration, one, step(registration)))
    assert registration is not None
    return registration


def test_a_first_register_opens_the_address_and_binds() -> None:
    events = register(None, ask(wish()), step(None))
    assert [type(event) for event in events] == [Registration.Opened, Registration.ContactBound]
    registration = after(None, events)
    (contact,) = registration.at(START)
    assert (contact.uri, contact.expires_at) == ("sip:a@h", START + seconds(300))


def test_a_refresh_moves_the_end_and_the_instance_moves_the_contact() -> None:
    registration = bound(ask(wish(instance="urn:1")), ask(wish("sip:b@h", instance="urn:1"), cseq=2, expires_s=600))
    (contact,) = registration.at(START)
    assert (contact.uri, contact.expires_at) == ("sip:b@h", START + seconds(600))


def test_the_shortest_and_the_longest_time() -> None:
    with pytest.raises(RegisterRefused) as refused:
        register(None, ask(wish(expires_s=MIN_EXPIRES_S - 1)), step(None))
    assert refused.value.status == 423
    (contact,) = bound(ask(wish(expires_s=10**6))).at(START)
    assert contact.expires_at == START + seconds(7200)


def test_an_older_register_of_the_same_dialog_changes_nothing() -> None:
    registration = bound(ask(wish(), cseq=5))
    with pytest.raises(RegisterRefused) as refused:
        register(registration, ask(wish(), cseq=4), step(registration))
    assert refused.value.status == 500
    assert register(registration, ask(wish(), cseq=1, call_id="rebooted"), step(registration))


def test_a_register_that_is_repeated_is_granted_again_and_changes_nothing() -> None:
    registration = bound(ask(wish(), cseq=5))
    assert register(registration, ask(wish(), cseq=5), step(registration)) == ()
    for other in (wish("sip:b@h"), wish(expires_s=0)):
        clash = ask(other, cseq=5) if other.expires_s == 0 else ask(wish("sip:b@h", instance=""), wish(), cseq=4)
        with pytest.raises(RegisterRefused):
            register(registration, clash, step(registration))


@pytest.mark.parametrize("instance", ["", "urn:1"])
@pytest.mark.parametrize("known", ["sip:old@h", "sip:new@h"])
@pytest.mark.parametrize("new_first", [True, False])
def test_a_phone_that_reconnects_removes_its_old_contact_and_gives_its_new_one_at_once(
    instance: str, known: str, new_first: bool
) -> None:
    wishes = [wish("sip:old@h", 0, instance), wish("sip:new@h", 300, instance)]
    registration = bound(
        ask(wish(known, instance=instance)),
        ask(*(reversed(wishes) if new_first else wishes), cseq=2),
    )
    assert [contact.uri for contact in registration.at(START)] == ["sip:new@h"]


def test_zero_removes_one_and_the_star_all() -> None:
    registration = bound(ask(wish("sip:a@h"), wish("sip:b@h")), ask(wish("sip:a@h", 0), cseq=2))
    assert [contact.uri for contact in registration.at(START)] == ["sip:b@h"]
    registration = bound(ask(wish("sip:a@h"), wish("sip:b@h")), ask(wildcard=True, expires_s=0, cseq=2))
    assert registration.at(START) == ()


def test_the_star_of_one_device_leaves_the_others() -> None:
    registration = bound(
        ask(wish("sip:a@h")),
        ask(wish("sip:b@h"), device="desk", call_id="two"),
        ask(wildcard=True, expires_s=0, device="desk", whole=False, call_id="two", cseq=2),
    )
    assert [contact.uri for contact in registration.at(START)] == ["sip:a@h"]


@pytest.mark.parametrize("bad", [ask(wish(), wildcard=True, expires_s=0), ask(wildcard=True, expires_s=300)])
def test_the_star_must_stand_alone_with_expires_zero(bad: Register) -> None:
    with pytest.raises(RegisterRefused) as refused:
        register(None, bad, step(None))
    assert refused.value.status == 400


def test_a_query_changes_nothing() -> None:
    assert register(None, ask(), step(None)) == ()


def test_no_more_devices_than_the_limit() -> None:
    wishes = [wish(f"sip:{n}@h") for n in range(MAX_CONTACTS + 1)]
    with pytest.raises(RegisterRefused) as refused:
        register(None, ask(*wishes), step(None))
    assert refused.value.status == 403
    assert bound(ask(*wishes[:-1])).at(START)


def test_expiry_is_an_event_at_the_deadline() -> None:
    registration = bound(ask(wish("sip:a@h", 100), wish("sip:b@h", 200)))
    assert deadline(registration) == START + seconds(100)
    assert expire(registration, step(registration, 99)) == ()
    registration = after(registration, expire(registration, step(registration, 100)))
    assert deadline(registration) == START + seconds(200)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(("sip:a@h", "sip:b@h", "sip:c@h")),
            st.sampled_from((0, 60, 300)),
            st.sampled_from(("", "urn:1", "urn:2")),
            st.booleans(),
        ),
        max_size=10,
    )
)
def test_the_fold_is_the_live_state_and_one_instance_has_one_binding(
    asked: list[tuple[str, int, str, bool]],
) -> None:
    registration: Registration | None = None
    events: list[Event] = []
    for cseq, (uri, expires_s, instance, star) in enumerate(asked, 1):
        one = ask(wildcard=True, expires_s=0, cseq=cseq) if star else ask(wish(uri, expires_s, instance), cseq=cseq)
        made = register(registration, one, step(registration))
        registration = after(registration, made) if made else registration
        events += made
    if registration is None:
        return
    assert after(None, tuple(events)).contacts == registration.contacts
    instances = [contact.instance for contact in registration.contacts.values() if contact.instance]
    assert len(instances) == len(set(instances))
