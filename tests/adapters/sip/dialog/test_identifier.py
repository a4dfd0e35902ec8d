"""Identifiers of ours: derived, readable, and of no use to somebody who makes or moves one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sip.dialog.identifier import Branch, SipIdentifiers
from domain.ids import leg_id
from tests.domain.world import new_call

OURS = SipIdentifiers(b"k" * 32)
LEG, OTHER = leg_id(new_call(), 1), leg_id(new_call(), 2)


def test_what_we_made_is_read_again_and_made_again() -> None:
    assert OURS.leg_of_tag(OURS.tag(LEG)) == LEG
    assert OURS.read_branch(OURS.branch(LEG, 7)) == Branch(LEG, 7)
    again = SipIdentifiers(b"k" * 32)
    assert (again.tag(LEG), again.branch(LEG, 1), again.user(LEG)) == (
        OURS.tag(LEG),
        OURS.branch(LEG, 1),
        OURS.user(LEG),
    )


def test_another_secret_makes_others() -> None:
    stranger = SipIdentifiers(b"x" * 32)
    assert OURS.leg_of_tag(stranger.tag(LEG)) is None
    assert OURS.read_branch(stranger.branch(LEG, 1)) is None


def test_a_mac_cannot_be_transplanted() -> None:
    mac = OURS.tag(LEG).split(".")[2]
    shard = OURS.tag(OTHER).split(".")[0]
    assert OURS.leg_of_tag(f"{shard}.{OTHER}.{mac}") is None
    cookie, shard, leg, _, mac = OURS.branch(LEG, 1).split(".")
    assert OURS.read_branch(f"{cookie}.{shard}.{leg}.2.{mac}") is None
    assert OURS.read_branch(f"{cookie}.{shard}.{leg}.1.{OURS.tag(LEG).split('.')[2]}") is None
    assert OURS.leg_of_tag(f"{shard}.{leg}.{mac}") is None
    assert OURS.leg_of_tag(f"{shard}.{leg}.{OURS.user(LEG).split('-')[2]}") is None


@pytest.mark.parametrize(
    "text", ["", "..", "a.b.c", "z9hG4bK.00.x.1.y", "z9hG4bK....", "z9hG4bK.0.\uef80.\u0663.\ud7ff"]
)
def test_what_is_not_ours_is_nothing(text: str) -> None:
    assert OURS.leg_of_tag(text) is None
    assert OURS.read_branch(text) is None


@given(st.text(max_size=80), st.integers(0, 79))
def test_no_changed_text_passes(piece: str, at: int) -> None:
    for text in (OURS.tag(LEG), OURS.branch(LEG, 1)):
        changed = text[: at % len(text)] + piece + text[at % len(text) + len(piece) :]
        if changed != text:
            assert OURS.leg_of_tag(changed) in (None, LEG)
            assert OURS.read_branch(changed) in (None, Branch(LEG, 1))


def test_what_a_stranger_makes_up_is_not_kept() -> None:
    ours = SipIdentifiers(b"k" * 32)
    mac = "0" * 16
    for _ in range(2):
        assert ours.leg_of_tag(f"05.{LEG}.{mac}") is None
        assert ours.read_branch(f"z9hG4bK.05.{LEG}.1.{mac}") is None
    assert ours.leg_of_tag(ours.tag(LEG)) == LEG
