"""Recordings as people have them, and what is played of them."""

import math
import struct
from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs import record

from probe.audio import write_wav
from probe.config import load
from probe.engine.hearing import Playback
from probe.engine.recite import Recital
from probe.heard import Utterance
from probe.plan import Plan, ServerPlan
from probe.user_audio import kept, prepare
from probe.user_audio.kept import keep, path_of
from probe.user_audio.prepare import Unprepared, unusable, with_speech
from probe.user_audio.resample import resampled
from probe.user_audio.utterance import NothingSaidError, joined, utterance, with_noise
from probe.user_audio.wav import WavError, read


def wav(
    data: bytes, *, kind: int = 1, channels: int = 1, rate: int = 16_000, bits: int = 16, more: bytes = b""
) -> bytes:
    width = channels * bits // 8
    form = struct.pack("<HHIIHH", kind, channels, rate, rate * width, width, bits) + more
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"LIST\x03\0\0\0abc\0" + b"data"
    return b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + body + struct.pack("<I", len(data)) + data


def sine(hz: float, rate: int, seconds: float, level: int = 8000) -> "array[int]":
    return array("h", (round(level * math.sin(2 * math.pi * hz * n / rate)) for n in range(round(seconds * rate))))


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (struct.pack("<3h", 0, 16384, -16384), {}),
        (bytes([128, 192, 64]), {"bits": 8}),
        (b"\0\0\0\0\0\x40\0\0\xc0", {"bits": 24}),
        (struct.pack("<3i", 0, 2**30, -(2**30)), {"bits": 32}),
        (struct.pack("<6h", 0, 0, 16384, 16384, -16000, -16768), {"channels": 2}),
        (struct.pack("<3h", 0, 16384, -16384), {"kind": 0xFFFE, "more": b"\x16\0\x10\0\0\0\0\0\x01\0" + bytes(14)}),
    ],
    ids=["16 bits", "8 bits", "24 bits", "32 bits", "stereo", "extensible"],
)
def test_the_samples_are_the_same_in_every_format(data: bytes, form: dict[str, int]) -> None:
    samples, rate = read(wav(data, **form))  # type: ignore[arg-type]  # of each the right ones
    assert (list(samples), rate) == ([0, 16384, -16384], 16_000)


def test_floats_are_read_and_what_is_no_number_is_silent() -> None:
    samples, _ = read(wav(struct.pack("<4f", 0.5, -2.0, math.nan, math.inf), kind=3, bits=32))
    assert list(samples) == [16384, -32767, 0, 32767]


@pytest.mark.parametrize(
    ("kind", "data", "levels"),
    [
        (6, b"\xd5\x55\xaa\x2a\x80", [8, -8, 32256, -32256, 5504]),
        (7, b"\xff\x7f\x80\x00\xaa", [0, 0, 32124, -32124, 5372]),
    ],
    ids=["A-law", "mu-law"],
)
def test_recordings_of_telephones_are_read(kind: int, data: bytes, levels: list[int]) -> None:
    samples, rate = read(wav(data, kind=kind, bits=8, rate=8000))
    assert (list(samples), rate) == (levels, 8000)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"ID3", wav(b"")[:30], wav(b"\0\0", bits=12), wav(b"\0\0", channels=0), wav(b"\0\0", rate=0),
        wav(b"\0\0", kind=2), wav(bytes(2 * 4000 * 121), rate=4000),
    ],
    ids=["empty", "mp3", "cut", "12 bits", "no channel", "no rate", "adpcm", "too long"],
)  # fmt: skip
def test_what_is_no_recording_says_why(data: bytes) -> None:
    with pytest.raises(WavError):
        read(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_recording_or_an_error(data: bytes) -> None:
    for anything in (data, wav(data)[:60] + data, wav(data)):
        try:
            samples, rate = read(anything)
        except WavError:
            continue
        assert len(samples) <= len(data)
        assert rate > 0


@pytest.mark.parametrize(("rate", "wanted"), [(22_050, 16_000), (48_000, 16_000), (8000, 16_000), (16_000, 24_000)])
def test_a_tone_is_the_same_tone_at_another_rate(rate: int, wanted: int) -> None:
    found, expected = resampled(sine(440, rate, 0.2), rate, wanted), sine(440, wanted, 0.2)
    inner = range(wanted // 50, len(expected) - wanted // 50)
    assert len(found) == len(expected)
    assert max(abs(found[n] - expected[n]) for n in inner) < 8000 * 0.002


def test_what_the_lower_rate_cannot_hold_is_gone() -> None:
    found = resampled(sine(11_000, 48_000, 0.2), 48_000, 16_000)
    assert max(map(abs, found[400:-400])) < 8000 * 0.002


def test_the_speech_is_between_the_first_and_the_last_that_is_heard() -> None:
    samples = array("h", [*[0] * 1600, *sine(300, 16_000, 0.5), *[3] * 3200])
    found = utterance(samples, 16_000, 16_000, -50.0, "Hello")
    assert abs(found.first_voiced - 1600) <= 16
    assert abs(found.last_voiced - 9600) <= 16


def test_silence_says_nothing() -> None:
    with pytest.raises(NothingSaidError):
        utterance(array("h", [5] * 16_000), 16_000, 16_000, -50.0, None)
    with pytest.raises(NothingSaidError):
        utterance(array("h"), 16_000, 16_000, -50.0, None)


@given(
    st.integers(0, 40_000), st.integers(1, 5000), st.integers(0, 1000), st.sampled_from([8000, 16_000, 22_050, 24_000])
)
def test_a_frame_ends_with_the_last_voiced_sample(before: int, voiced: int, behind: int, rate: int) -> None:
    pcm = array("h", [*[0] * before, *[7] * voiced, *[0] * behind]).tobytes()
    playback = Playback(Utterance(pcm, rate, before, before + voiced))
    frames = playback.frames()
    played = array("h", b"".join(next(frames) for _ in range(playback.voiced)))
    assert list(played[-voiced:]) == [7] * voiced, "all of it, and its end is the frame's"
    lead = len(played) - voiced
    assert not any(played[:lead])
    assert lead >= rate // 10, "enough silence before it"
    assert lead <= rate * 0.3 + rate // 50 + 1, "and no more than that"
    assert not any(b"".join(next(frames) for _ in range(60))), "silence without an end"


def test_noise_is_so_far_below_the_speech_and_goes_on() -> None:
    samples = array("h", [*[0] * 1600, *sine(300, 16_000, 0.5), *[0] * 1600])
    clean = utterance(samples, 16_000, 16_000, -50.0, "Hello")
    noisy = with_noise(clean, 20.0)
    assert (noisy.first_voiced, noisy.last_voiced, noisy.text) == (clean.first_voiced, clean.last_voiced, "Hello")
    assert noisy == with_noise(clean, 20.0), "the same each time"
    noise = array("h", noisy.silence)
    speech_rms = math.sqrt(sum(each * each for each in samples[1600:9600]) / 8000)
    noise_rms = math.sqrt(sum(each * each for each in noise) / len(noise))
    assert 20 * math.log10(speech_rms / noise_rms) == pytest.approx(20, abs=0.2)
    playback = Playback(noisy)
    frames = playback.frames()
    played = [array("h", next(frames)) for _ in range(playback.voiced + 400)]
    assert {len(frame) for frame in played} == {320}
    assert all(any(frame) for frame in played), "no frame of it is digital silence"


def test_a_pause_is_exactly_so_long_and_digital_silence() -> None:
    """Whatever silence the TTS server puts around the words of a part."""
    rate = 16_000
    tone = [8000 if n // 20 % 2 else -8000 for n in range(rate // 5)]
    part = array("h", [*[0] * 1600, *tone, *[3] * 800])
    first, second = (utterance(part, rate, rate, -50.0, text) for text in ("I'd like", "a table"))
    both = joined([first, second, first], [800, 50])
    samples = array("h", both.pcm)
    assert both.text == "I'd like a table I'd like"
    assert [(each.end - each.start, each.words) for each in both.pauses] == [(12_800, 2), (800, 4)]
    for pause in both.pauses:
        assert not any(samples[pause.start : pause.end])
        assert abs(samples[pause.start - 1]) == abs(samples[pause.end]) == 8000, "words touch it on both sides"
    again = utterance(samples, rate, rate, -50.0, None)
    assert (both.first_voiced, both.last_voiced) == (again.first_voiced, again.last_voiced)
    assert len(samples) - both.last_voiced == 800, "what the server made behind the last words stays"


@pytest.mark.parametrize("snr_db", [-10.0, 0.0, 12.5])
@pytest.mark.parametrize("level", [2000, 30_000], ids=["quiet", "loud"])
def test_the_noise_in_the_mixed_audio_is_so_far_below_what_is_said(snr_db: float, level: int) -> None:
    """Measured on the audio itself: a pause is no part of the speech, and loud audio is not cut off."""
    part = utterance(sine(300, 16_000, 0.4, level), 16_000, 16_000, -50.0, "So")
    clean = joined([part, part], [2000])
    noisy = with_noise(clean, snr_db)
    mixed, speech = array("h", noisy.pcm), array("h", clean.pcm)
    (pause,) = clean.pauses
    gain = math.sqrt(sum(each * each for each in mixed[pause.start : pause.end]) / (pause.end - pause.start))
    voiced = [*range(clean.first_voiced, pause.start), *range(pause.end, clean.last_voiced)]
    # The noise is not like the speech: what of the mixed audio is like it, is the speech.
    likeness = sum(mixed[n] * speech[n] for n in voiced) / sum(speech[n] ** 2 for n in voiced)
    loud = likeness * math.sqrt(sum(speech[n] ** 2 for n in voiced) / len(voiced))
    assert 20 * math.log10(loud / gain) == pytest.approx(snr_db, abs=0.3)


def test_speech_that_was_made_is_its_owners_alone(tmp_path: Path) -> None:
    server = ServerPlan("any", "ws://h/ws", {"voice": "aria"})
    folder = tmp_path / "state" / "user_audio"
    path = path_of(folder, "Tell me a joke.", server)
    keep(path, b"\1\0\2\0", 22_000)
    assert [each.stat().st_mode & 0o777 for each in (folder.parent, folder, path)] == [0o700, 0o700, 0o600]
    assert read(path.read_bytes()) == (array("h", [1, 2]), 22_000)
    others = (
        path_of(folder, "Tell me another joke.", server),
        path_of(folder, "Tell me a joke.", ServerPlan("any", "ws://h/ws", {"voice": "leo"})),
    )
    assert path not in others
    assert "joke" not in path.name


def test_a_recording_lies_beside_its_configuration_and_what_is_wrong_with_it_is_said(tmp_path: Path) -> None:
    file = tmp_path / "probe.toml"
    file.write_text('[scenarios.default]\nuser_turns = ["a", "b"]\nuser_audio = ["a.wav", "/b.wav"]\n')
    assert load(file).scenarios["default"].user_audio == [str(tmp_path / "a.wav"), "/b.wav"]
    assert (unusable(tmp_path / "a.wav") or "").startswith("No such file or directory; allowed is a WAV file")
    (tmp_path / "a.wav").write_bytes(b"no sound")
    assert (unusable(tmp_path / "a.wav") or "").startswith("not a WAV file")
    write_wav(tmp_path / "a.wav", bytes(3200), 16_000)
    assert (unusable(tmp_path / "a.wav") or "").startswith("nothing in it can be heard")
    write_wav(tmp_path / "a.wav", b"\0\x40" * 1600, 16_000)
    assert (unusable(tmp_path / "a.wav") or "").startswith("nothing in it can be heard"), "an offset is no sound"
    write_wav(tmp_path / "a.wav", sine(440, 16_000, 0.1).tobytes(), 16_000)
    assert unusable(tmp_path / "a.wav") is None


async def prepared(folder: Path, *recitals: Recital) -> list[Plan | Unprepared]:
    """The result of preparing a run for each of these recitals, one after another."""
    plan, made = record(1).plan, iter(recitals)

    async def recite(_text: str) -> Recital:
        return next(made)

    return [await with_speech(plan, 16_000, folder, recite, lambda: 0) for _ in recitals]


SPOKEN = Recital(sine(440, 16_000, 0.2).tobytes(), 16_000)


async def test_a_full_disk_holds_up_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It failed every run of the target, after its TTS server had spoken once more for each."""

    def full(_path: Path, _pcm: bytes, _rate: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept, "keep", full)
    monkeypatch.setattr(prepare, "_UNWRITTEN", {})
    plan, again = await prepared(tmp_path, SPOKEN, Recital())
    assert isinstance(plan, Plan)
    assert isinstance(again, Plan)
    assert plan.speech == again.speech, "it is spoken once"
    assert plan.speech[0].last_voiced > 0


async def test_speech_that_can_not_be_used_is_made_again(tmp_path: Path) -> None:
    """Kept, it failed every later run until somebody removed the file."""
    silent, good = await prepared(tmp_path, Recital(bytes(8000), 16_000), SPOKEN)
    assert isinstance(silent, Unprepared)
    assert silent.failure is not None
    assert silent.failure.reason == "user_audio"
    assert isinstance(good, Plan)


async def test_a_folder_of_somebody_else_holds_up_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a person measures with the service's configuration."""

    def forbidden(_path: Path, *_more: object, **_options: object) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(prepare, "_UNWRITTEN", {})
    monkeypatch.setattr(Path, "exists", forbidden)
    monkeypatch.setattr(kept, "keep", forbidden)
    (plan,) = await prepared(tmp_path, SPOKEN)
    assert isinstance(plan, Plan)
    assert plan.speech[0].last_voiced > 0
