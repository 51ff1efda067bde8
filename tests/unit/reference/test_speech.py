"""From a text to PCM: normalisation, resampling, conversion, framing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from probe.reference.speech.engine import SpeechError
from probe.reference.speech.normalise import normalise
from probe.reference.speech.pcm import frames, to_pcm
from probe.reference.speech.resample import Resampler

Samples = NDArray[np.float32]

TARGET_HZ = 22000
TONE_HZ = 440.0


def tone(rate: float, seconds: float) -> Samples:
    time = np.arange(round(rate * seconds)) / rate
    return np.asarray(np.sin(2 * np.pi * TONE_HZ * time), np.float32)


def resample(samples: Samples, rate: float, cut: int) -> Samples:
    resampler = Resampler(rate, TARGET_HZ)
    pieces = [resampler.feed(samples[start : start + cut]) for start in range(0, len(samples), cut)]
    return np.concatenate([*pieces, resampler.flush()])


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("It’s “fine” – really — yes", 'It\'s "fine" - really - yes'),  # noqa: RUF001 - the point
        ("‘a’ «b» 1−2 x‑y", "'a' \"b\" 1-2 x-y"),  # noqa: RUF001 - the point
        ("plain 'text' - stays", "plain 'text' - stays"),
        ("Grüße, 你好!\nNext", "Grüße, 你好!\nNext"),
        ("a\x00b\tc\ud800d", "a b c d"),
        ("x² and H₂O, ➊ or ⒉", "x2 and H2O, 1 or 2"),
        ("٣", "٣"),
        ("It is " + "1" * 19, "It is " + "1 " * 18 + "1"),
        ("1,000,000,000,000", "1,000,000,000,000"),
    ],
)
def test_quotes_dashes_and_digits_become_plain_and_control_characters_go(text: str, plain: str) -> None:
    assert normalise(text) == plain


@pytest.mark.parametrize("rate", [22050, 24000, 24000 * 0.8, 16000, 22000])
def test_a_tone_keeps_its_pitch_its_length_and_its_level(rate: float) -> None:
    resampled = resample(tone(rate, 1.0), rate, cut=10**9)
    assert len(resampled) == pytest.approx(TARGET_HZ, abs=1)
    middle = slice(1000, 21000)  # a filter rings at both ends
    assert resampled[middle] == pytest.approx(tone(TARGET_HZ, 1.0)[middle], abs=1e-3)


@given(cut=st.integers(1, 5000), seconds=st.floats(0.001, 0.2))
def test_pieces_joined_are_the_whole(cut: int, seconds: float) -> None:
    samples = tone(24000, seconds)
    whole = resample(samples, 24000, len(samples))
    assert np.array_equal(resample(samples, 24000, cut), whole)


def test_nothing_resampled_is_nothing() -> None:
    assert len(Resampler(24000, TARGET_HZ).flush()) == 0


def test_samples_are_little_endian_16_bit_and_clipped() -> None:
    samples = np.array([0, 1, -1, 1.5, -7, 0.5, 1 / 32767], np.float32)
    expected = [0, 32767, -32767, 32767, -32767, 16384, 1]
    assert to_pcm(samples) == b"".join(value.to_bytes(2, "little", signed=True) for value in expected)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_a_number_is_no_silence(value: float) -> None:
    with pytest.raises(SpeechError, match="not numbers"):
        to_pcm(np.array([0, value], np.float32))


@pytest.mark.parametrize(("size", "sizes"), [(0, []), (2, [2]), (4096, [4096]), (10000, [4096, 4096, 1808])])
def test_frames_are_4096_bytes_but_the_last(size: int, sizes: list[int]) -> None:
    pcm = bytes(index % 251 for index in range(size))
    cut = list(frames(pcm))
    assert [len(frame) for frame in cut] == sizes
    assert b"".join(cut) == pcm
