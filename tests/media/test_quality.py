"""What a stream is worth, and whether it is there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.quality import BACK_MS, EXCUSED_MS, MISSING_MS, Reach, Watch, mos_x100, rating


@pytest.mark.parametrize(
    ("loss", "delay_ms", "expected"),
    [(0, 0, 441), (0, 100, 441), (0, 150, 441), (0.01, 50, 433), (0.03, 50, 413), (0.1, 50, 341), (0, 400, 355)],
)
def test_opinions_are_those_of_the_model(loss: float, delay_ms: float, expected: int) -> None:
    """R = 93.2 is MOS 4.41; G.711 with concealment at 1 % loss has Ie,eff = 3.6, at 3 % 10.1, at 10 % 27.1."""
    assert mos_x100(rating(loss, delay_ms)) == pytest.approx(expected, abs=1)


@pytest.mark.parametrize(("delay_ms", "impairment"), [(100, 0), (200, 3.04), (400, 24.1), (800, 40.8)])
def test_delay_impairs_as_the_model_says(delay_ms: float, impairment: float) -> None:
    """Idd of ITU-T G.107 (7-27), worked out by hand: X is 0, 1, 2 and 3."""
    assert rating(0, delay_ms) == pytest.approx(93.2 - impairment, abs=0.05)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 2000), st.floats(0, 2000))
def test_more_loss_or_delay_is_never_better(a: float, b: float, c_ms: float, d_ms: float) -> None:
    better, worse = rating(min(a, b), min(c_ms, d_ms)), rating(max(a, b), max(c_ms, d_ms))
    assert 0 <= worse <= better <= 93.2
    assert 100 <= mos_x100(worse) <= mos_x100(better) <= 441


def test_what_is_missing_is_told_once_within_three_seconds_and_so_is_its_return() -> None:
    watch, last_ms, told = Watch(), -1.0, []
    for now_ms in range(0, 20_000, 100):
        if now_ms < 5000 or 12_000 <= now_ms < 15_000:
            last_ms = now_ms
        found = watch.check(now_ms, last_ms, expected=True)
        if found is not None:
            told.append((now_ms, found))
    assert told == [(7300, MISSING_MS), (12_000 + BACK_MS, 0), (17_300, MISSING_MS)]
    assert watch.silent_ms == (12_000 - 4900) + (19_900 - 14_900) - 100


def test_at_two_looks_a_second_it_is_told_in_less_than_three() -> None:
    for stopped_ms in range(0, 1000, 100):
        watch = Watch()
        looks = range(0, 5000, 500)
        found = [now for now in looks if watch.check(now, min(now, stopped_ms), expected=True)]
        assert found[0] - stopped_ms < 3000, stopped_ms


def test_a_packet_now_and_then_is_no_audio() -> None:
    """As of a phone that suppresses silence, but for one packet in five seconds."""
    watch = Watch()
    found = [(now, watch.check(now, now - now % 5000, expected=True)) for now in range(0, 60_000, 500)]
    assert [one for one in found if one[1] is not None] == [(2500, 2500)]
    assert watch.silent_ms > 40_000


def test_what_would_be_told_can_be_asked_at_any_time() -> None:
    watch, asked = Watch(), []
    for now_ms in range(0, 9000, 500):
        watch.check(now_ms, now_ms if now_ms >= 5000 else -1, expected=True)
        asked.append(watch.missing_ms)
    assert asked[:5] == [-1] * 5, "it has not come yet, and need not have"
    assert asked[5:10] == [2500, 3000, 3500, 4000, 4500]
    assert asked[-6:] == [0] * 6


def test_a_leg_that_never_sends_is_told() -> None:
    watch = Watch()
    assert [now_ms for now_ms in range(0, 10_000, 500) if watch.check(now_ms, -1, expected=True)] == [2500]


def test_who_need_not_send_is_not_missed() -> None:
    watch = Watch()
    assert not any(watch.check(now_ms, -1, expected=False) for now_ms in range(0, 10_000, 500))
    assert [watch.check(now_ms, -1, expected=True) for now_ms in (10_000, 12_300, 12_400)] == [None, None, 2400]
    assert watch.check(13_500, -1, expected=False) == 0


def test_a_party_that_told_of_its_silence_is_excused_for_longer() -> None:
    watch = Watch()
    found = [(now, watch.check(now, 0, expected=True, excused=True)) for now in range(0, 40_000, 1000)]
    assert [one for one in found if one[1] is not None] == [(EXCUSED_MS, EXCUSED_MS)]


def test_what_a_party_does_not_hear_any_more_is_told_once_and_so_is_that_it_does_again() -> None:
    reach, told = Reach(), []
    for highest, sent in ((None, 250), (700, 500), (950, 750), (950, 1000), (None, 1250), (1400, 1500), (1650, 1750)):
        reach.learn(highest, sent)
        told.append(reach.news())
    assert told == [None, None, None, 5000, None, 0, None]


def test_a_party_that_never_reports_on_us_is_not_taken_to_be_deaf() -> None:
    reach = Reach()
    for sent in range(0, 5000, 250):
        reach.learn(None, sent)
        assert (reach.news(), reach.unheard_ms) == (None, -1)


def test_what_was_not_sent_cannot_be_heard() -> None:
    reach = Reach()
    for sent in (250, 251, 300, 349):
        reach.learn(77, sent)
        assert reach.news() is None
