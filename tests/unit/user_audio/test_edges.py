"""Where the speech in a recording begins and ends, however it was recorded."""

import math
import random
from array import array
from collections.abc import Callable, Sequence
from functools import cache

import pytest

from probe.user_audio.edges import edges

RATE, DBFS = 16_000, -50.0
# Of the test's voice: silence, a word that swells, one that fades away within 0.3 s, silence.
BEGIN, END = 0.5, 1.9
Levels = Sequence[float]


def samples(levels: Levels) -> "array[int]":
    return array("h", (max(-32768, min(32767, round(each))) for each in levels))


def envelope(t: float) -> float:
    if not BEGIN <= t < END:
        return 0.0
    # By 60 dB, so that the last of it is below any level of interest.
    return min(1.0, 10 ** (3 * (t - BEGIN - 0.05) / 0.05)) * min(1.0, 10 ** (3 * (END - 0.3 - t) / 0.3))


@cache
def voice(peak: float = 4600.0, seconds: float = 2.5) -> Levels:
    times = (n / RATE for n in range(round(seconds * RATE)))
    return tuple(peak * envelope(t) * math.sin(2 * math.pi * 220 * t) for t in times)


@cache
def noise(dbfs: float, seconds: float = 2.5, seed: int = 1) -> Levels:
    chance, level = random.Random(seed), 32768 * 10 ** (dbfs / 20)
    return tuple(chance.gauss(0, level) for _ in range(round(seconds * RATE)))


@cache
def hum(dbfs: float) -> Levels:
    level = 32768 * 10 ** (dbfs / 20) * math.sqrt(2)
    return tuple(level * math.sin(2 * math.pi * 50 * n / RATE) for n in range(round(2.5 * RATE)))


def of(levels: Levels) -> tuple[float, float]:
    """In milliseconds."""
    found = edges(samples(levels), RATE, DBFS)
    assert found is not None
    first, last = found
    return first / RATE * 1000, last / RATE * 1000


@pytest.fixture(scope="module")
def loud() -> tuple[float, float]:
    """Where the voice begins and ends."""
    return of(voice())


def test_speech_is_what_is_above_the_configured_level(loud: tuple[float, float]) -> None:
    """-50 dBFS are 30 dB below this voice, which fades by 60 dB in 300 ms."""
    begin, end = loud
    assert begin == pytest.approx(BEGIN * 1000 + 25, abs=4)
    assert end == pytest.approx((END - 0.3) * 1000 + 300 * 30 / 60, abs=8)


@pytest.mark.parametrize("gain_db", [-10, -20, -28])
def test_a_quiet_recording_ends_where_it_would_if_it_were_loud(gain_db: float, loud: tuple[float, float]) -> None:
    """By -50 dBFS alone, the speech was taken to end hundreds of milliseconds before it did."""
    begin, end = of(voice(4600 * 10 ** (gain_db / 20)))
    assert begin == pytest.approx(loud[0], abs=4)
    assert end == pytest.approx(loud[1], abs=4)


@pytest.mark.parametrize(
    "recorded",
    [
        lambda levels: [each + 3000 for each in levels],
        lambda levels: [each / 256 // 1 * 256 for each in levels],
        lambda levels: [0.0] * 3 * RATE + [*levels],
        lambda levels: [*levels, *[0.0] * 5 * RATE],
    ],
    ids=["offset", "8 bits", "3 s before", "5 s behind"],
)
def test_what_a_recorder_adds_is_no_speech(
    recorded: Callable[[Levels], list[float]], loud: tuple[float, float]
) -> None:
    levels = recorded(voice())
    before = (len(levels) - len(voice())) / RATE * 1000 if recorded([1.0])[0] == 0.0 else 0.0
    begin, end = of(levels)
    assert begin - before == pytest.approx(loud[0], abs=10)
    assert end - before == pytest.approx(loud[1], abs=60)


@pytest.mark.parametrize("background", [noise(-44), noise(-38), hum(-44)], ids=["noise", "louder noise", "hum"])
def test_noise_above_the_level_is_no_speech(background: Levels, loud: tuple[float, float]) -> None:
    """All of the recording was mistaken for speech. Of what is louder than the noise, 6 dB are left."""
    begin, end = of([one + other for one, other in zip(voice(), background, strict=True)])
    assert begin == pytest.approx(loud[0], abs=25)
    assert loud[1] - 150 < end <= loud[1]


def test_noise_behind_the_speech_alone_is_no_speech(loud: tuple[float, float]) -> None:
    begin, end = of([*voice(seconds=END), *noise(-40, 1.0)])
    assert begin == loud[0]
    assert loud[1] - 120 < end <= loud[1]


def test_a_steady_last_sound_is_speech() -> None:
    """Such as the s of a word that was cut out of a recording: 250 ms, 18 dB below the voice, and nothing behind it."""
    cut_out = [*voice()[round(BEGIN * RATE) : round((END - 0.3) * RATE)], *noise(-37, 0.25)]
    assert of(cut_out)[1] == pytest.approx(len(cut_out) / RATE * 1000, abs=2)


def test_a_recording_that_is_as_loud_from_begin_to_end_is_speech() -> None:
    begin, end = of(noise(-20, 1.0))
    assert (begin, end) == pytest.approx((0, 1000), abs=2)


@pytest.mark.parametrize("levels", [[], [0.0] * RATE, [3000.0] * RATE, noise(-60), voice(60)])
def test_what_is_below_the_level_says_nothing(levels: Levels) -> None:
    assert edges(samples(levels), RATE, DBFS) is None
