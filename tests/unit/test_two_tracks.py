"""A recording of both sides, and the silence in it, on sounds whose place is known."""

from pathlib import Path

import numpy as np
import pytest
from two_tracks import Piece, silence, write

RATE = 16_000
BEGIN = 1000.0
FRAME_S = 0.02


def sound(seconds: float, rate: int = RATE, level: float = 0.2) -> bytes:
    times = np.arange(round(seconds * rate)) / rate
    return (level * 32768 * np.sin(2 * np.pi * 400 * times)).astype("<i2").tobytes()


def spoken(audio: bytes) -> list[Piece]:
    """Frames of a microphone, the first of which begins at BEGIN."""
    size = round(FRAME_S * RATE) * 2
    frames = [audio[at : at + size] for at in range(0, len(audio), size)]
    return [Piece(BEGIN + (number + 1) * FRAME_S, RATE, frame) for number, frame in enumerate(frames)]


def test_the_silence_is_between_the_last_of_one_and_the_first_of_the_other(tmp_path: Path) -> None:
    person = spoken(bytes(RATE) + sound(1) + bytes(RATE * 2))
    answer = [Piece(BEGIN + 2.2, 22_050, bytes(22_050 // 10 * 2) + sound(0.5, 22_050))]
    begin = write(tmp_path / "both.wav", person, answer)
    found = silence(tmp_path / "both.wav")
    assert begin == pytest.approx(BEGIN)
    assert found.start == pytest.approx(1.5, abs=0.0011)
    assert found.end == pytest.approx(2.3, abs=0.0011)
    assert found.ms == pytest.approx(800, abs=2.1)


def test_what_came_early_is_played_after_what_came_before(tmp_path: Path) -> None:
    answer = [Piece(BEGIN + 1, RATE, bytes(RATE)), Piece(BEGIN + 1.1, RATE, sound(0.2))]
    write(tmp_path / "both.wav", spoken(sound(0.5)), answer)
    assert silence(tmp_path / "both.wav").end == pytest.approx(1.5, abs=0.0011)


def test_a_pause_in_the_speech_or_an_interjection_is_not_the_silence(tmp_path: Path) -> None:
    person = spoken(sound(0.3) + bytes(RATE * 2) + sound(0.3))
    write(tmp_path / "both.wav", person, [Piece(BEGIN + 2, RATE, sound(0.1) + bytes(RATE * 2) + sound(0.1))])
    found = silence(tmp_path / "both.wav")
    assert [found.start, found.end] == pytest.approx([1.6, 2.0], abs=0.0011)


def test_pieces_of_several_rates_are_no_track(tmp_path: Path) -> None:
    answer = [Piece(BEGIN + 1, rate, sound(0.1, rate)) for rate in (16_000, 22_050)]
    with pytest.raises(ValueError, match=r"pieces of one rate are expected, and these have \[16000, 22050\]"):
        write(tmp_path / "both.wav", spoken(sound(0.5)), answer)


@pytest.mark.parametrize(("level", "heard"), [(0.0055, True), (0.0035, False)])
def test_what_is_too_quiet_is_silence(tmp_path: Path, level: float, heard: bool) -> None:
    """-50 dBFS is an amplitude of 0.0045 of a sine."""
    answer = [Piece(BEGIN + 1, RATE, sound(0.1, level=level) + sound(0.1))]
    write(tmp_path / "both.wav", spoken(sound(0.5)), answer)
    assert silence(tmp_path / "both.wav").end == pytest.approx(1.0 if heard else 1.1, abs=0.0021)


@pytest.mark.parametrize(
    ("said", "answered", "who"), [(bytes(RATE), sound(0.1), "person"), (sound(0.1), bytes(RATE), "agent")]
)
def test_a_recording_without_one_of_them_has_no_such_silence(
    tmp_path: Path, said: bytes, answered: bytes, who: str
) -> None:
    write(tmp_path / "both.wav", spoken(said), [Piece(BEGIN + 1, RATE, answered)])
    with pytest.raises(ValueError, match=f"both.wav: nothing is heard of the {who}"):
        silence(tmp_path / "both.wav")
