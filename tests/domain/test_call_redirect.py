"""Redirects inside a tenant, one decision after the other: whom a call reaches, in which order, and that it ends."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from domain.call.call import Call, CallState
from domain.call.decision.redirect import NOT_FOLLOWED
from domain.call.effect import Dial, Refuse
from domain.call.input import Answered, DeadlineReached, Failed, Redirected, RelayOpened
from domain.call.presentation import MAX_REDIRECTS
from domain.call.relay import RelayPlace
from domain.routing.directory import Extension
from domain.values import DIRECT, Cause, MediaPolicy
from tests.domain.test_call_turn import Table
from tests.domain.world import START, contact, remote, seconds, with_media

MOVED = Cause(302, 31, "Moved Temporarily")
HERE = "acme.example"


ALWAYS = MediaPolicy(recording="always")


def table(*reachable: str, devices: int = 1, media: MediaPolicy = DIRECT, **asked: Any) -> Table:
    """1002 has `devices` phones and this `media`; each of `reachable` has one phone. Numbers 2000 to 2009 exist besides
    those of the world. `asked` are other fields of the offer."""
    played = Table(bindings=devices, media=media, **asked)
    known = played.world.directory
    extensions = {
        **known.extensions,
        **{("acme", str(n)): Extension("acme", str(n), "", ()) for n in range(2000, 2010)},
    }
    before = played.world.contacts

    def contacts(tenant: str, number: str) -> tuple[object, ...]:
        return (contact(number, 9000),) if number in reachable else before(tenant, number)

    played.world = played.world._replace(
        directory=msgspec.structs.replace(known, extensions=extensions),
        contacts=contacts,  # type: ignore[arg-type]
    )
    return played


def redirect(played: Table, index: int, *numbers: str, domain: str = HERE) -> None:
    played.play(Redirected("r", "x", played.leg(index), MOVED, tuple((domain, number) for number in numbers)))


def dialled(played: Table) -> list[str]:
    return [played.call.legs[effect.leg].number for effect in played.effects if isinstance(effect, Dial)]


def test_the_preferred_one_that_has_phones_is_called_until_the_ring_time_ends() -> None:
    played = table("1003", "1001")
    redirect(played, 1, "2000", "1003", "1001")
    assert played.types() == ["Redirected", "LegsDialed"]
    assert dialled(played) == ["1003"]
    dialed = played.events[-1]
    assert isinstance(dialed, Call.LegsDialed)
    assert (dialed.origin, dialed.ring_until, dialed.legs[0].diverted) == ("redirect", START + seconds(20), "1002")
    assert played.call.legs[played.leg(2)].dialog.local_uri == "sip:1001@acme.example"


def test_the_next_one_is_called_when_that_fails_and_the_caller_hears_the_best_when_all_did() -> None:
    played = table("1003", "2001")
    redirect(played, 1, "1003", "2001")
    played.play(Failed("f", "x", played.leg(2), Cause(486, 17, "Busy")))
    assert (played.types(), dialled(played)) == (["LegsFailed", "LegsDialed"], ["2001"])
    played.play(Failed("f", "x", played.leg(3), Cause(404, 1, "")))
    ended = played.events[-1]
    assert isinstance(ended, Call.Ended)
    assert (ended.outcome, ended.why.sip_status) == ("busy", 486)
    assert played.kinds() == [Refuse]


def test_a_6xx_ends_the_search() -> None:
    played = table("1003", "2001")
    redirect(played, 1, "1003", "2001")
    played.play(Failed("f", "x", played.leg(2), Cause(603, 21, "")))
    assert played.call.state is CallState.ENDED


@pytest.mark.parametrize(
    ("number", "domain"),
    [("1003", "globex.example"), ("1003", "evil.example"), ("4711", HERE), ("1002", HERE), ("2009", HERE)],
)
def test_who_is_not_called_from_here_is_a_refusal(number: str, domain: str) -> None:
    played = table("1003")
    redirect(played, 1, number, domain=domain)
    assert played.types() == ["LegsFailed", "Ended"]
    ended = played.events[-1]
    assert isinstance(ended, Call.Ended)
    assert (ended.outcome, ended.why) == ("failed", Cause(302, 31, NOT_FOLLOWED))


def test_the_other_devices_ring_on_beside_the_new_ones() -> None:
    played = table("1003", devices=2)
    redirect(played, 1, "1003")
    assert dialled(played) == ["1003"]
    assert played.call.legs[played.leg(2)].waiting
    leg = played.call.legs[played.leg(3)]
    played.play(Answered("a", "x", leg.id, remote(leg.dialog), "v=0", "ua"))
    assert played.call.callee.number == "1003"


def test_nobody_is_called_twice_and_a_chain_ends() -> None:
    numbers = [str(n) for n in range(2000, 2010)]
    played = table(*numbers)
    for step, number in enumerate(numbers, 1):
        redirect(played, step, "1002", *numbers[:step], number)
        if played.call.state is CallState.ENDED:
            break
    called = [leg.number for leg in played.call.legs.values()]
    assert len(called) == len(set(called)) == 2 + MAX_REDIRECTS
    assert played.call.redirects == MAX_REDIRECTS


def test_ring_time_is_one_for_all() -> None:
    played = table("1003")
    redirect(played, 1, "1003")
    played.play(DeadlineReached("d", "system", "no_answer"), 20)
    ended = played.events[-1]
    assert isinstance(ended, Call.Ended)
    assert ended.outcome == "no_answer"


def test_a_redirect_of_a_leg_that_is_not_asked_any_more_means_nothing() -> None:
    played = table("1003", devices=2)
    played.answer(1)
    redirect(played, 2, "1003")
    assert played.events == ()


# --- media that would have to go another way


def with_policy(played: Table, number: str, media: MediaPolicy) -> Table:
    played.world = played.world._replace(directory=with_media(played.world.directory, number, media))
    return played


@pytest.mark.parametrize(
    "media", [ALWAYS, MediaPolicy(recording="on_demand"), MediaPolicy(relayed=True), MediaPolicy(srtp=True)]
)
def test_who_is_to_be_relayed_is_passed_over_when_the_call_is_not(media: MediaPolicy) -> None:
    played = with_policy(table("1003", "2001"), "1003", media)
    redirect(played, 1, "1003", "2001")
    assert dialled(played) == ["2001"]


def test_without_anybody_else_the_redirect_is_a_refusal() -> None:
    played = with_policy(table("1003"), "1003", ALWAYS)
    redirect(played, 1, "1003")
    assert played.types() == ["LegsFailed", "Ended"]
    assert played.call.end_cause == Cause(302, 31, NOT_FOLLOWED)


def test_who_became_so_since_is_passed_over_too() -> None:
    played = table("1003", "2001", "2002")
    redirect(played, 1, "1003", "2001", "2002")
    with_policy(played, "2001", ALWAYS)
    played.play(Failed("f", "x", played.leg(2), Cause(486, 17, "Busy")))
    assert dialled(played) == ["2002"]


def test_a_relayed_call_goes_on_to_who_is_recorded_and_is() -> None:
    played = with_policy(table("1003", media=MediaPolicy(relayed=True)), "1003", ALWAYS)
    played.play(RelayOpened("o", "media", RelayPlace(20000, 20002, "sealed")))
    redirect(played, 1, "1003")
    assert dialled(played) == ["1003"]
    played.answer(2)
    assert played.types() == ["Connected", "RecordingStarted"]


@pytest.mark.parametrize("relayed", [False, True])
@pytest.mark.parametrize(
    ("first", "other", "sdp", "followed"),
    [
        (True, True, "v=0 alice", True),
        (True, False, "v=0 alice", False),
        (None, False, "v=0 alice", False),
        (True, None, "v=0 alice", True),
        (None, True, "", True),
    ],
)
def test_whose_phones_are_to_be_offered_srtp_otherwise_is_passed_over(
    relayed: bool, first: bool | None, other: bool | None, sdp: str, followed: bool
) -> None:
    played = table("1003", media=MediaPolicy(relayed=relayed, srtp=first), sdp=sdp)
    if played.call.relay is not None:
        played.play(RelayOpened("o", "media", RelayPlace(20000, 20002, "sealed")))
    redirect(with_policy(played, "1003", MediaPolicy(srtp=other)), 1, "1003")
    assert dialled(played) == (["1003"] if followed else [])


def test_what_the_caller_offers_meets_both_policies_and_needs_no_relay() -> None:
    secure = MediaPolicy(srtp=True)
    played = with_policy(table("1003", media=secure, encrypted=True), "1003", secure)
    assert played.call.relay is None
    redirect(played, 1, "1003")
    assert dialled(played) == ["1003"]
