"""Branches of what is passed on: the same for a repetition, and nobody else can make one."""

from __future__ import annotations

import pytest

from adapters.sip.message.header import plain_via
from adapters.sip.steer.hop import Hops

LINK, EDGE = Hops(b"k" * 32, "link"), Hops(b"k" * 32, "edge")


@pytest.mark.parametrize("back", ["a", "node-1.example.com"])
def test_a_branch_says_where_its_answer_goes(back: str) -> None:
    branch = LINK.branch("z9hG4bKfirst", back)
    assert LINK.back(branch) == back
    assert branch == Hops(b"k" * 32, "link").branch("z9hG4bKfirst", back)
    assert branch != LINK.branch("z9hG4bKsecond", back)


def test_the_transaction_layer_reads_its_via_at_a_glance() -> None:
    assert plain_via(f"SIP/2.0/TLS 127.0.0.1:5070;branch={LINK.branch('z9hG4bK1', 'a')}") is not None


def test_what_a_phone_has_seen_is_worth_nothing_on_the_link() -> None:
    assert LINK.back(EDGE.branch("z9hG4bK1", "a")) is None
    seen = EDGE.branch("z9hG4bK1", "a")
    assert LINK.back(seen.replace("edge", "link")) is None


@pytest.mark.parametrize("branch", ["", "z9hG4bK.link.", "z9hG4bK.link.a.b.c", "z9hG4bKlink", "z9hG4bK.link.é.a.ü"])
def test_what_nobody_made_is_none(branch: str) -> None:
    assert LINK.back(branch) is None


def test_the_node_in_a_branch_cannot_be_changed() -> None:
    branch = LINK.branch("z9hG4bK1", "a")
    assert LINK.back(branch.replace(".a.", ".b.")) is None
