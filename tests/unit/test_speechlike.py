"""Whether it can be speech: noise, hum, clicks, silence, text, too little and too much of it; and what is said."""

import array
import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sounds import RATE, hiss, noise, pcm, seconds, sine, voice

from probe import audio, speechlike
from probe.record import REASONS, AudioAnalysis

EIGHT_WORDS = "Why did the old unicorn cross the road?"


def judged(samples: bytes, text: str = "Hello.", rate: int = RATE) -> str | None:
    return speechlike.fault(audio.listen(samples, rate), samples, text, rate)


def doubted(samples: bytes, text: str = EIGHT_WORDS, rate: int = RATE) -> list[str]:
    return list(speechlike.doubts(audio.listen(samples, rate), text))


def harmonics(*levels: float, hertz: float = 50) -> bytes:
    return seconds(lambda t: sum(sine(level, hertz * n)(t) for n, level in enumerate(levels, 1)))


def clicks(every_ms: float, level: int = 20_000, length: float = 1.0) -> bytes:
    period = round(every_ms * RATE / 1000)
    return pcm({7: level, 8: -level}.get(i % period, 0) for i in range(round(length * RATE)))


@pytest.mark.parametrize("text", [EIGHT_WORDS, "Yes."])
@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        pytest.param(lambda: hiss(-14), "noise", id="white noise at -14"),
        pytest.param(lambda: hiss(-20), "noise", id="white noise at -20"),
        pytest.param(lambda: hiss(-20, 0.3), "noise", id="a third of a second of it"),
        pytest.param(lambda: noise(6000), "noise", id="uniform noise at -20"),
        pytest.param(lambda: hiss(-40), "noise", id="hiss at -40"),
        pytest.param(lambda: hiss(-58), "noise", id="hiss below what is audible"),
        pytest.param(lambda: hiss(-20, width=4), "noise", id="hiss through a filter"),
        pytest.param(lambda: hiss(-20, width=20), "noise", id="the noise of a fan"),
        pytest.param(lambda: bytes(20_000) + hiss(-20) + bytes(20_000), "noise", id="noise between silences"),
        pytest.param(lambda: seconds(sine(6000, 50)), "hum", id="hum at 50 Hz"),
        pytest.param(lambda: seconds(sine(6000, 60)), "hum", id="hum at 60 Hz"),
        pytest.param(lambda: harmonics(4000, 3000, 2000), "hum", id="hum with harmonics"),
        pytest.param(lambda: harmonics(4000, 0, 2000, hertz=60), "hum", id="hum of a transformer"),
        pytest.param(lambda: seconds(lambda t: 8000 + sine(3000, 50)(t)), "hum", id="hum on an offset"),
        pytest.param(lambda: seconds(sine(6000, 4000)), "noise", id="a beep"),
        pytest.param(lambda: clicks(50), "clicks", id="a click every 50 ms"),
        pytest.param(lambda: clicks(5), "clicks", id="a click every 5 ms"),
        pytest.param(lambda: clicks(1), "noise", id="a click every millisecond"),
        pytest.param(lambda: pcm([3000]), "too_short", id="one sample"),
        pytest.param(lambda: seconds(sine(6000), 0.02), "too_short", id="20 ms"),
        pytest.param(lambda: seconds(voice(6000), 0.02), "too_short", id="20 ms of a voice"),
        pytest.param(lambda: b'{"error": "CUDA out of memory"}', "text", id="an error"),
        pytest.param(lambda: b"<html><body>502 Bad Gateway</body></html>\n" * 40, "text", id="a page"),
        pytest.param(lambda: "エラー: 合成に失敗しました。".encode() * 40, "text", id="an error in Japanese"),
        pytest.param(lambda: b"\xef\xbb\xbfno such voice", "text", id="an error with a byte order mark"),
    ],
)
def test_what_is_no_speech(samples: Callable[[], bytes], reason: str, text: str) -> None:
    assert reason in REASONS["audio"]
    assert judged(samples(), text) == reason


def test_so_long_is_no_answer_to_eight_words() -> None:
    minute = seconds(voice(6000), 2) * 30
    found = audio.listen(minute, RATE)
    assert speechlike.fault(found, minute, EIGHT_WORDS, RATE) == "too_long"
    for text in (EIGHT_WORDS * 4, "独角兽为什么要过马路因为它可以。" * 3, "Call 0123456789 at 12:45."):
        assert speechlike.fault(found, minute, text, RATE) is None


@pytest.mark.parametrize(
    ("ms", "text", "says"),
    [
        (100, EIGHT_WORDS, "has 100 ms of sound for 31 letters: less than a voice can do"),
        (300, EIGHT_WORDS, None),
        (100, "Yes.", None),
        (9000, "Yes.", "has 9.0 s of sound for 3 letters: more than a voice needs"),
        (9000, EIGHT_WORDS, None),
    ],
)
def test_a_length_that_is_hard_to_believe_is_doubted(ms: int, text: str, says: str | None) -> None:
    found = AudioAnalysis(ms * RATE // 1000, 0, 0.1, 0.5, 0.9, loud_ms=float(ms), wobble_db=10.0)
    assert speechlike.fault(found, bytes(2), text, RATE) is None
    assert list(speechlike.doubts(found, text)) == ([] if says is None else [says])


def test_who_is_too_quiet_to_be_heard_is_doubted() -> None:
    quiet = seconds(voice(60))
    assert judged(quiet) is None
    assert doubted(quiet) == ["never reaches the audible level for as long as speech does"]
    assert doubted(quiet, "...") == []


def test_a_note_may_be_held_for_a_while() -> None:
    assert judged(seconds(sine(6000), 2)) is None
    assert doubted(seconds(sine(6000), 2)) == []
    assert judged(seconds(sine(6000), 4)) is None
    assert doubted(seconds(sine(6000), 4)) == ["is one steady note of 220 Hz"]


PAIRS = "has samples that come in pairs, as if two channels or 32 bits were read as one channel of 16"


def interleaved(left: bytes, right: bytes) -> bytes:
    pairs = zip(array.array("h", left), array.array("h", right), strict=True)
    return array.array("h", (value for pair in pairs for value in pair)).tobytes()


def test_stereo_read_as_mono_is_doubted() -> None:
    left, hardly = seconds(voice(12_000)), seconds(voice(11_000))
    assert doubted(left) == []
    for right in (left, hardly, bytes(len(left))):
        assert doubted(interleaved(left, right)) == doubted(interleaved(right, left)) == [PAIRS]


def test_32_bits_read_as_16_are_doubted() -> None:
    samples = array.array("h", seconds(voice(12_000)))
    assert doubted(array.array("i", (value << 16 for value in samples)).tobytes()) == [PAIRS]


@pytest.mark.parametrize("level", [60_000, 100_000, 200_000])
def test_a_voice_that_is_turned_up_too_far_is_one(level: float) -> None:
    assert judged(seconds(voice(level))) is None


@given(st.binary(max_size=3000), st.text(max_size=5))
def test_any_bytes_can_be_judged(samples: bytes, text: str) -> None:
    assert judged(samples, text) in (None, *REASONS["audio"])
    for doubt in doubted(samples, text):
        assert doubt.isprintable()


def rails() -> bytes:
    sign = random.Random(2)
    return pcm(sign.choice([-32768, 32767]) for _ in range(RATE))


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(lambda: noise(32767), id="uniform at full scale"),
        pytest.param(lambda: noise(32767, 0.05), id="50 ms of it"),
        pytest.param(lambda: bytes(RATE) + noise(32767), id="after half a second of silence"),
        pytest.param(lambda: noise(16384), id="at half of full scale"),
        pytest.param(rails, id="random rails"),
        pytest.param(lambda: seconds(voice(12000))[1:] + b"\0", id="cut one byte late"),
        pytest.param(lambda: seconds(lambda t: 1e6 * sine(1)(t)), id="a tone clipped to a square"),
        pytest.param(lambda: pcm([32767] * RATE), id="stuck at the rail"),
        pytest.param(lambda: pcm([32767, -32768] * RATE), id="the highest pitch there is"),
        pytest.param(lambda: array.array("d", [math.nan] * 5000).tobytes(), id="NaN as doubles"),
    ],
)
def test_noise_is_a_fault_whatever_the_text(samples: Callable[[], bytes]) -> None:
    made = samples()
    assert judged(made) == "noise"
    assert judged(made, "...") == "noise"


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(lambda: seconds(voice(3000)), id="speech"),
        pytest.param(lambda: seconds(voice(32767)), id="loud speech"),
        pytest.param(lambda: seconds(voice(60000)), id="overdriven speech"),
        pytest.param(lambda: seconds(sine(32767)), id="a full-scale tone"),
        pytest.param(lambda: noise(8000, 0.2), id="a fricative alone, loud"),
    ],
)
def test_what_may_be_speech_is_no_fault(samples: Callable[[], bytes]) -> None:
    assert judged(samples()) is None


@pytest.mark.parametrize("text", ["Hello.", "7", "é", "好", "<b>Yes</b>", "a < b"])
def test_silence_for_a_letter_or_a_digit_is_a_fault(text: str) -> None:
    assert audio.speakable(text)
    assert judged(bytes(2000), text) == "silent"
    assert judged(pcm([8, -8] * 500), text) == "silent"
    assert judged(b"", text) == "missing"
    assert speechlike.fault(None, b"", text, RATE) == "missing"


@pytest.mark.parametrize("text", ["", " \n", "...", "?!", "</think>", "<think>\n</think>\n\n", "—", "🦄", "<b1>"])
def test_silence_for_anything_else_is_an_answer(text: str) -> None:
    assert not audio.speakable(text)
    assert judged(bytes(2000), text) is judged(b"", text) is speechlike.fault(None, b"", text, RATE) is None


def test_an_odd_number_of_bytes_is_a_fault_before_anything_else() -> None:
    for samples in (bytes(2001), noise(32767) + b"\0", seconds(voice(3000)) + b"\0", b"\0"):
        assert judged(samples) == judged(samples, "...") == "odd_bytes"


def test_a_constant_makes_no_sound() -> None:
    assert judged(pcm([12_000] * RATE)) == "silent"


@pytest.mark.parametrize("level", [40, 100, 200])
def test_a_quiet_voice_that_was_cut_one_byte_late_is_noise(level: int) -> None:
    quiet = seconds(voice(level))
    assert judged(quiet) in (None, "silent")
    assert judged(quiet[1:] + b"\0") == "noise"


def test_speech_of_eight_bits_is_speech() -> None:
    """Its low bytes are all zero."""
    samples = array.array("h", seconds(voice(12_000)))
    assert judged(pcm(value & ~0xFF for value in samples)) is None


@pytest.mark.parametrize(
    ("rms", "correlation", "reason"),
    [(0.58, 0.58, "noise"), (0.58, 0.85, None), (0.44, 0.58, None), (0.44, 0.4, "noise"), (0.76, 0.99, "noise")],
)
def test_the_louder_the_sound_the_more_correlation_speech_must_show(
    rms: float, correlation: float, reason: str | None
) -> None:
    """Smooth sound cut one byte too late has -4.7 dB and a correlation of 0.58; no speech is as loud."""
    assert speechlike.fault(AudioAnalysis(1000, 0, rms, 1.0, correlation), bytes(2000), "One two.", RATE) == reason
