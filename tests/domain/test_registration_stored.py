"""Bindings as earlier versions stored them: `golden/events/registration.1.txt` was written by events of version 1."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from adapters.journal.codec import decode
from domain.base import Event
from domain.registration import Registration
from projections.registrations import BindingFold

STORED = Path(__file__).parents[1] / "golden" / "events" / "registration.1.txt"


def events() -> list[Event]:
    lines = (line.split(" ", 1) for line in STORED.read_text().splitlines())
    return [decode(kind, data.encode()) for kind, data in lines]


def test_they_fold_to_what_they_meant() -> None:
    registration: Registration | None = None
    held = []
    for event in events():
        registration = cast("Registration | None", event.mutate(registration))
        assert registration is not None
        held.append([(one.uri, one.instance, one.cseq) for one in registration.contacts.values()])
    assert held == [
        [],
        [("sip:a@h", "urn:1", 1)],
        [("sip:a@h", "urn:1", 1), ("sip:b@h", "", 1)],
        [("sip:b@h", "", 1), ("sip:c@h", "urn:1", 2)],
        [("sip:b@h", "", 1), ("sip:c@h", "", 3)],  # the phone has no instance any more
        [("sip:c@h", "", 3)],
    ]
    assert registration is not None
    assert [(one.reg_id, one.q) for one in registration.contacts.values()] == [(0, 1000)]


def test_their_rows_end_as_they_did() -> None:
    fold = BindingFold()
    rows = []
    for event in events():
        fold.apply(event)
        rows += [(row.contact, row.cause) for row in fold.changed()]
    assert (fold.bound["sip:c@h"].bound_at - events()[0].timestamp).total_seconds() == 10
    assert rows == [
        ("sip:a@h", ""),
        ("sip:b@h", ""),
        ("sip:a@h", "replaced"),
        ("sip:c@h", ""),
        ("sip:c@h", ""),  # the same row
        ("sip:b@h", "unregistered"),
    ]
