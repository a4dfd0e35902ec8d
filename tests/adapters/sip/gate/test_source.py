"""Budgets and bans: never more than the rate, bounded memory, and phones that are never shut out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adapters.sip.gate.source import SourceLimits, Sources

DEVICE = ("acme", "1001")
GAPS = st.lists(st.floats(0, 3), max_size=200)


@given(GAPS, st.floats(0.1, 20), st.floats(1, 30))
def test_a_source_never_exceeds_its_rate(gaps: list[float], rate: float, burst: float) -> None:
    sources = Sources(SourceLimits(rate=rate, burst=burst))
    start = now = 100.0
    passed = 0
    for gap in gaps:
        now += gap
        passed += sources.take("a", now)
        assert passed <= burst + rate * (now - start) + 1e-6


def test_one_source_does_not_spend_anothers_budget() -> None:
    sources = Sources(SourceLimits(rate=1, burst=2))
    assert [sources.take("a", 0) for _ in range(3)] == [True, True, False]
    assert sources.take("b", 0)


def test_a_rate_of_zero_is_no_limit_and_no_ban() -> None:
    sources = Sources(SourceLimits(rate=0))
    assert all(sources.take("a", 0) for _ in range(10_000))
    assert not any(sources.fails("a", 0) for _ in range(1000))


def test_phones_behind_one_address_give_back_what_they_take() -> None:
    sources = Sources(SourceLimits(rate=50, burst=200))
    for number in range(5000):  # twice the rate for ever, each with a challenge
        assert sources.take("nat", number / 50)
        assert sources.take("nat", number / 50)
        sources.proves("nat", ("acme", str(number % 500)), number / 50)


def test_failures_ban_for_longer_each_time_and_leave_a_trickle() -> None:
    limits = SourceLimits(failures=5, ban_s=30, trickle=0.2)
    sources = Sources(limits)
    now, bans = 0.0, []
    for _ in range(4):
        while not sources.fails("a", now):
            pass
        begun = now
        heard = 0
        while sources.banned("a", now):
            now += 0.5
            heard += sources.take("a", now)
        bans.append(now - begun)
        assert heard <= limits.trickle * bans[-1] + 1
    assert bans == [30, 60, 120, 240]


def test_failures_that_are_rare_are_forgotten() -> None:
    sources = Sources(SourceLimits(failures=5, fading_s=60))
    assert not any(sources.fails("a", hour * 3600.0) for hour in range(100))


def test_an_address_where_a_device_proved_itself_is_never_banned() -> None:
    sources = Sources(SourceLimits(proof_s=7200))
    sources.proves("a", DEVICE, 0)
    assert not any(sources.fails("a", 1) for _ in range(1000))
    assert sources.proven("a", 7200)
    assert not sources.proven("a", 7201)
    assert any(sources.fails("a", 7202) for _ in range(1000))


def test_a_right_password_ends_a_ban() -> None:
    sources = Sources(SourceLimits(failures=2))
    sources.fails("a", 0)
    assert sources.fails("a", 0)
    sources.proves("a", DEVICE, 1)
    assert not sources.banned("a", 1)
    assert sources.take("a", 1)


@given(st.integers(0, 2**32))
def test_the_tables_are_bounded_whatever_comes(seed: int) -> None:
    sources = Sources(SourceLimits(strangers=20, known=10, devices=3))
    for number in range(300):
        key, now = (seed + number * 7919) % 1000, float(number)
        what = (seed >> number % 32) + number
        if what % 3 == 0:
            sources.take(str(key), now)
        elif what % 3 == 1:
            sources.fails(str(key), now, 10)
        else:
            sources.proves("shared" if key % 2 else str(key), ("acme", str(key)), now)
        assert len(sources) <= 30


def test_strangers_do_not_drive_out_those_that_are_known() -> None:
    sources = Sources(SourceLimits(strangers=100))
    sources.proves("phone", DEVICE, 0)
    for number in range(10_000):
        sources.fails(f"forged {number}", 1, 5)
    assert sources.proven("phone", 2)


def test_connections_are_counted_for_each_source() -> None:
    sources = Sources(SourceLimits(connections=2, connections_per_device=1))
    assert [sources.connect("a", 0) for _ in range(3)] == [True, True, False]
    assert sources.connect("b", 0)
    sources.proves("a", DEVICE, 0)
    assert sources.connect("a", 0)
    for _ in range(3):
        sources.disconnect("a")
    assert [sources.connect("a", 0) for _ in range(4)] == [True, True, True, False]


def test_handshakes_are_few_for_each_source_and_more_where_devices_are_known() -> None:
    sources = Sources(SourceLimits(handshakes=2, connections_per_device=1))
    assert [sources.shake("a", 0, crowded=False) for _ in range(3)] == [True, True, False]
    assert sources.shake("b", 0, crowded=False)
    sources.proves("a", DEVICE, 0)
    assert [sources.shake("a", 0, crowded=False) for _ in range(2)] == [True, False], "one password is not many"
    for _ in range(3):
        sources.shaken("a")
    assert sources._handshakes == {"b": 1}


def test_where_it_is_crowded_only_sources_with_devices_may_begin_a_handshake() -> None:
    sources = Sources(SourceLimits())
    sources.proves("phone", DEVICE, 0)
    assert not sources.shake("stranger", 0, crowded=True)
    assert sources.shake("phone", 0, crowded=True)
    assert sources._connections == {"phone": 1}


def test_a_handshake_that_would_be_one_connection_too_many_is_not_counted() -> None:
    sources = Sources(SourceLimits(connections=1))
    assert [sources.shake("a", 0, crowded=False) for _ in range(2)] == [True, False]
    sources.shaken("a")
    assert (sources._handshakes, sources._connections) == ({}, {"a": 1})
