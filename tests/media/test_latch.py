"""Where packets are believed to come from: who may take a leg over, and who may not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.latch import PACKETS_IN_A_ROW, SILENCE_MS, Address, Claim, Latch
from media.rtp import Packet

SIGNALLED = ("192.0.2.1", 4000)
SAME_HOST = ("192.0.2.1", 61000)
BEHIND_NAT = ("198.51.100.7", 1024)
STRANGER = ("203.0.113.66", 6666)


def packet(sequence: int, ssrc: int = 1) -> Packet:
    return Packet(0, False, sequence % 65536, 0, ssrc, b"")


def speak(
    latch: Latch, source: Address, count: int = 50, start_ms: float = 0, sequence: int = 0, ssrc: int = 1
) -> list[bool]:
    return [latch.accept(source, packet(sequence + n, ssrc), start_ms + 20 * n) for n in range(count)]


def test_the_signalled_address_is_believed_at_once() -> None:
    latch = Latch(SIGNALLED)
    assert latch.remote == SIGNALLED
    assert all(speak(latch, SIGNALLED))
    assert latch.remote == SIGNALLED and latch.claim == Claim.SIGNALLED


@pytest.mark.parametrize("source", [SAME_HOST, BEHIND_NAT])
def test_another_address_is_believed_after_a_row(source: Address) -> None:
    latch = Latch(SIGNALLED)
    assert speak(latch, source) == [False] * (PACKETS_IN_A_ROW - 1) + [True] * (50 - PACKETS_IN_A_ROW + 1)
    assert latch.remote == source


def test_without_an_address_packets_are_all_that_is_known() -> None:
    latch = Latch(None)
    assert latch.remote is None
    speak(latch, BEHIND_NAT)
    assert latch.remote == BEHIND_NAT


def test_a_row_at_once_is_not_believed() -> None:
    latch = Latch(SIGNALLED)
    assert not any(latch.accept(STRANGER, packet(n), 20) for n in range(1000))
    assert latch.remote == SIGNALLED


@pytest.mark.parametrize("numbers", [[0, 2, 4, 6, 8, 10], [5, 5, 5, 5, 5, 5], [9, 8, 7, 6, 5, 4]])
def test_packets_that_are_not_in_a_row_are_not_believed(numbers: list[int]) -> None:
    latch = Latch(SIGNALLED)
    assert not any(latch.accept(STRANGER, packet(number), 20 * n) for n, number in enumerate(numbers))


@pytest.mark.parametrize("held", [SIGNALLED, SAME_HOST, BEHIND_NAT])
def test_a_stranger_steals_nothing_that_is_held(held: Address) -> None:
    latch = Latch(SIGNALLED)
    speak(latch, held)
    assert not any(speak(latch, STRANGER, 500, start_ms=1000, ssrc=9))
    assert not any(speak(latch, STRANGER, 500, start_ms=1000, sequence=30_000))
    assert latch.remote == held
    assert all(speak(latch, held, start_ms=11_000, sequence=50))
    assert latch.refused >= 1000


def test_a_stranger_who_was_first_gives_way_to_the_party() -> None:
    latch = Latch(SIGNALLED)
    assert any(speak(latch, STRANGER, ssrc=9))
    assert latch.accept(SIGNALLED, packet(0), 2000)
    assert latch.remote == SIGNALLED
    latch = Latch(SIGNALLED)
    speak(latch, STRANGER, ssrc=9)
    assert any(speak(latch, SAME_HOST, start_ms=2000))
    assert latch.remote == SAME_HOST


def test_many_strangers_do_not_keep_the_party_out() -> None:
    latch = Latch(SIGNALLED)
    for n in range(PACKETS_IN_A_ROW):
        for other in range(3):
            latch.accept(("203.0.113.66", 7000 + other + 3 * n), packet(n, ssrc=9), 20 * n)
        latch.accept(BEHIND_NAT, packet(n), 20 * n)
    assert latch.remote == BEHIND_NAT


def test_the_same_source_may_go_on_from_elsewhere_after_it_fell_silent() -> None:
    """A NAT forgets a phone's port and gives it another: its SSRC and sequence go on."""
    latch = Latch(SIGNALLED)
    speak(latch, BEHIND_NAT, 50)
    moved = ("198.51.100.7", 2048)
    assert not any(speak(latch, moved, 20, start_ms=1000, sequence=50))
    assert any(speak(latch, moved, 20, start_ms=1400 + SILENCE_MS, sequence=70))
    assert latch.remote == moved


def test_a_stranger_who_does_not_know_the_source_gains_nothing_from_silence() -> None:
    latch = Latch(SIGNALLED)
    speak(latch, BEHIND_NAT, 50)
    assert not any(speak(latch, STRANGER, 200, start_ms=60_000, ssrc=2, sequence=50))
    assert not any(speak(latch, STRANGER, 200, start_ms=60_000, ssrc=1, sequence=20_000))
    assert latch.remote == BEHIND_NAT


def test_a_fixed_leg_hears_its_host_and_sends_where_it_was_told_to() -> None:
    latch = Latch(SIGNALLED, fixed=True)
    assert any(speak(latch, SAME_HOST))
    assert not any(speak(latch, STRANGER, start_ms=5000))
    assert latch.remote == SIGNALLED


def test_authenticated_packets_move_it_and_others_never_again() -> None:
    latch = Latch(SIGNALLED)
    speak(latch, SIGNALLED)
    assert latch.accept(BEHIND_NAT, packet(100), 2000, authenticated=True)
    assert latch.remote == BEHIND_NAT
    assert not latch.accept(BEHIND_NAT, packet(101), 2020)
    assert not any(speak(latch, SIGNALLED, start_ms=3000))
    assert latch.accept(SIGNALLED, packet(102), 4000, authenticated=True)
    assert latch.remote == SIGNALLED


def test_an_old_packet_does_not_move_back_what_moved() -> None:
    latch = Latch(SIGNALLED)
    for n in range(10):
        latch.accept(SIGNALLED, packet(n), 20 * n, authenticated=True)
    latch.accept(BEHIND_NAT, packet(12), 220, authenticated=True)
    assert not latch.accept(SIGNALLED, packet(11), 230, authenticated=True)
    assert not latch.accept(SIGNALLED, packet(12), 230, authenticated=True)
    assert latch.remote == BEHIND_NAT


@given(
    st.lists(
        st.tuples(
            st.sampled_from([SAME_HOST, BEHIND_NAT, STRANGER, ("203.0.113.67", 1)]),
            st.integers(0, 65535),
            st.integers(2, 9),
            st.integers(0, 5000),
        ),
        max_size=60,
    )
)
def test_whatever_strangers_send_the_signalled_address_is_kept(stream: list[tuple[Address, int, int, int]]) -> None:
    latch = Latch(SIGNALLED)
    latch.accept(SIGNALLED, packet(0), 0)
    now_ms = 0
    for source, sequence, ssrc, step_ms in stream:
        now_ms += step_ms
        assert not latch.accept(source, packet(sequence, ssrc), now_ms)
    assert latch.remote == SIGNALLED
    assert latch.accept(SIGNALLED, packet(1), now_ms)
