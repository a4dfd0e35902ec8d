"""Legs of G.711 that say how their silence sounds (RFC 3389): the others hear that, and nothing is missed or mended."""

from __future__ import annotations

import numpy as np
import pytest

from media.cycle import TICK_S
from media.hush import NOISE_FRAMES
from media.wire import Codec, Measured, Silent
from tests.media.party import PCMA, PCMU, Phone, Stage

COMFORT_NOISE = 13
LEVEL_DBOV = 40
A_HZ = 400.0
QUIET_DBFS = -70
"""A-law has no zero."""


@pytest.fixture(params=[PCMU, PCMA], ids=["PCMU", "PCMA"])
def codec(request: pytest.FixtureRequest) -> Codec:
    found: Codec = request.param
    return found


def pair(made: Stage, codec: Codec) -> tuple[Phone, Phone]:
    a, b = made.phone(codec, frequency_hz=A_HZ), made.phone(codec)
    made.put([a.leg("a"), b.leg("b")])
    made.run(0.5)
    return a, b


def hush(made: Stage, a: Phone, level_dbov: int = LEVEL_DBOV) -> None:
    a.speak(a.packet(bytes([level_dbov]), COMFORT_NOISE))
    made.run(TICK_S, silent=[a])


def level_dbfs(phone: Phone, last_s: float) -> float:
    heard = phone.heard(last_s).astype(float)
    return float(20 * np.log10(max(np.sqrt(np.mean(heard**2)), 1) / 32768))


def test_the_others_hear_the_noise_until_there_is_sound_again(made: Stage, codec: Codec) -> None:
    a, b = pair(made, codec)
    hush(made, a)
    made.run(1.0, silent=[a])
    assert level_dbfs(b, 0.8) == pytest.approx(-LEVEL_DBOV, abs=1)
    assert b.tones(0.5) == ()
    a.timestamp += 50 * 160
    made.run(0.8)
    assert b.tones(0.5) == (A_HZ,)
    made.run(1.0, silent=[a])
    assert level_dbfs(b, 0.5) < QUIET_DBFS, "that was said of another silence"


def test_it_is_as_loud_as_was_said_last(made: Stage, codec: Codec) -> None:
    a, b = pair(made, codec)
    hush(made, a)
    made.run(0.5, silent=[a])
    hush(made, a, LEVEL_DBOV + 15)
    made.run(0.5, silent=[a])
    assert level_dbfs(b, 0.4) == pytest.approx(-LEVEL_DBOV - 15, abs=1.5)


def test_it_does_not_go_on_for_ever(made: Stage, codec: Codec) -> None:
    a, b = pair(made, codec)
    hush(made, a)
    made.run((NOISE_FRAMES - 60) * TICK_S, silent=[a])
    assert level_dbfs(b, 0.4) > -LEVEL_DBOV - 2
    made.run(1.6, silent=[a])
    assert level_dbfs(b, 0.2) < QUIET_DBFS


def test_who_said_that_it_is_silent_is_not_missed(made: Stage, codec: Codec) -> None:
    a, _ = pair(made, codec)
    hush(made, a)
    made.run(8.0, silent=[a])
    assert made.words(Silent) == []
    assert [word.missing_ms for word in made.words(Measured) if word.leg == "a"][-1] == 0


def test_who_only_falls_silent_is_missed(made: Stage, codec: Codec) -> None:
    a, _ = pair(made, codec)
    made.run(8.0, silent=[a])
    assert [word.leg for word in made.words(Silent)] == ["a"]
    assert [word.missing_ms > 2000 for word in made.words(Measured) if word.leg == "a"][-1]
