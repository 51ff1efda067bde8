"""PCM arithmetic on signals whose figures are known."""

import math
import wave
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sounds import RATE, noise, pcm, seconds, sine, voice

from probe import audio


def test_duration_is_bytes_over_two_times_the_rate() -> None:
    assert audio.duration_ns(44_000, 22_000) == 1e9
    assert audio.duration_ns(4096, 22_000) / 1e6 == pytest.approx(93.0909, abs=1e-4)
    assert audio.duration_ns(0, 22_000) == 0
    assert audio.duration_ns(48_000, 24_000) == 1e9


@pytest.mark.parametrize("silent_ms", [0, 1, 2, 23, 310])
def test_sound_begins_in_the_millisecond_in_which_it_does(silent_ms: int) -> None:
    samples = bytes(2 * silent_ms * RATE // 1000) + seconds(sine(3000), 0.1)
    assert audio.listen(samples, RATE).first_audible == silent_ms * RATE // 1000


BEFORE = round(0.2 * RATE)


@pytest.mark.parametrize(
    "quiet",
    [
        noise(32768 * 10 ** (-69 / 20), 0.2),
        noise(32768 * 10 ** (-55 / 20), 0.2),
        pcm([12] * BEFORE),
        seconds(sine(3), 0.2),
        pcm([0] * 100 + [20_000] * 10 + [0] * (BEFORE - 110)),
        pcm(([5_000] * 5 + [0] * 500) * 10)[: 2 * BEFORE],
    ],
    ids=["hiss at -69", "hiss at -55", "offset", "hum", "click", "click train"],
)
def test_what_is_no_sound_before_it(quiet: bytes) -> None:
    """Hiss, an offset and clicks are silence; the sound behind them begins where it does, to a millisecond."""
    found = audio.listen(quiet + seconds(sine(3000), 0.3), RATE).first_audible
    assert found is not None and abs(found - len(quiet) // 2) <= RATE // 1000 + 1
    assert audio.listen(quiet, RATE).first_audible is None


def test_a_fade_in_is_heard_when_it_is_loud_enough() -> None:
    """At -50 dBFS: an amplitude of 147 of a sine, reached after 49 ms of a ramp of 3 per millisecond."""
    ramp = pcm(3 * 1000 * i / RATE * math.sin(2 * math.pi * 400 * i / RATE) for i in range(RATE // 2))
    found = audio.listen(ramp, RATE).first_audible
    assert found is not None and 44 <= found * 1000 / RATE <= 54


def test_where_the_limit_is_can_be_chosen() -> None:
    hiss = noise(32768 * 10 ** (-40 / 20), 0.2)
    assert audio.listen(hiss, RATE).first_audible is not None
    assert audio.listen(hiss, RATE, -30).first_audible is None


def test_samples_are_signed_and_little_endian() -> None:
    assert audio.listen(b"\x00\x80", RATE).peak == 1
    assert audio.listen(b"\xff\x7f", RATE).peak == 32767 / 32768
    assert audio.listen(b"\xff\xff", RATE).peak == 1 / 32768


def test_half_a_sample_at_the_end_is_left_out() -> None:
    assert audio.listen(pcm([100, 200]) + b"\x7f", RATE) == audio.listen(pcm([100, 200]), RATE)


def test_nothing_has_no_levels() -> None:
    for nothing in (b"", b"\x01"):
        heard = audio.listen(nothing, RATE)
        assert (heard.samples, heard.first_audible, heard.rms, heard.peak, heard.correlation) == (0, None, 0, 0, None)


def test_digital_silence_has_no_level_in_decibels() -> None:
    heard = audio.listen(bytes(2000), RATE)
    assert (heard.samples, heard.first_audible, heard.correlation) == (1000, None, None)
    assert audio.decibels(heard.rms) is None


@pytest.mark.parametrize(
    ("samples", "rms_db", "peak_db"),
    [
        (seconds(sine(32767)), -3.01, 0.0),
        (seconds(sine(16384)), -9.03, -6.02),
        (seconds(sine(3276.8)), -23.01, -20.0),
        (pcm([32767, -32768] * 1000), 0.0, 0.0),
        (pcm([328] * 1000), -40.0, -40.0),
        (noise(32767), -4.77, 0.0),
    ],
)
def test_levels_are_in_decibels_of_full_scale(samples: bytes, rms_db: float, peak_db: float) -> None:
    heard = audio.listen(samples, RATE)
    assert audio.decibels(heard.rms) == pytest.approx(rms_db, abs=0.1)
    assert audio.decibels(heard.peak) == pytest.approx(peak_db, abs=0.1)


def test_correlation_is_that_of_each_sample_with_the_next() -> None:
    assert audio.listen(seconds(sine(10000, 220)), RATE).correlation == pytest.approx(
        math.cos(2 * math.pi * 220 / RATE), abs=0.01
    )
    assert audio.listen(pcm([1000, -1000] * 500), RATE).correlation == pytest.approx(-1, abs=0.01)
    assert audio.listen(noise(20000), RATE).correlation == pytest.approx(0, abs=0.02)


def test_a_wav_file_holds_the_samples(tmp_path: Path) -> None:
    samples = seconds(voice(3000), 0.1)
    path = tmp_path / "heard.wav"
    path.write_bytes(b"something longer" * 10_000)
    audio.write_wav(path, samples + b"\x01", RATE)
    with wave.open(str(path), "rb") as stored:
        assert (stored.getnchannels(), stored.getsampwidth(), stored.getframerate()) == (1, 2, RATE)
        assert stored.readframes(10**6) == samples
    assert path.stat().st_size == 44 + len(samples)


def test_playout_of_frames_one_by_one() -> None:
    frames = [(0, 44), (500_000, 44), (3_000_000, 22)]
    assert list(audio.playout(frames, RATE)) == [(0, 1e6), (1e6, 2e6), (3e6, 3.5e6)]
    assert list(audio.playout(frames[:1], RATE, 2.5e6)) == [(2.5e6, 3.5e6)]
    assert list(audio.playout([], RATE, 2.5e6)) == []


@given(st.binary(max_size=200))
def test_any_bytes_can_be_listened_to(samples: bytes) -> None:
    heard = audio.listen(samples, RATE)
    values = [int.from_bytes(samples[i : i + 2], "little", signed=True) for i in range(0, len(samples) // 2 * 2, 2)]
    assert heard.samples == len(values)
    assert heard.first_audible is None or heard.first_audible < len(values)
    assert heard.peak == max(map(abs, values), default=0) / 32768
    assert 0 <= heard.rms <= heard.peak <= 1
    assert heard.correlation is None or -1 <= heard.correlation <= 1
