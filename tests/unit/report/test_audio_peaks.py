"""The kept audio of a run, cut into its chunks again, and drawn."""

import struct
from dataclasses import replace
from pathlib import Path

import pytest
from runs import record

from probe.audio import write_wav
from probe.record import RunRecord
from probe.report import audio_file, audio_peaks

LOUD, QUIET = b"\x00\x40" * 300, b"\x00\x01" * 200


def with_audio() -> RunRecord:
    run = record()
    first, second = run.turns[0].chunks
    chunks = (
        replace(first, pcm=LOUD, audio_bytes=len(LOUD), sample_rate=8000),
        replace(second, pcm=QUIET, audio_bytes=len(QUIET), sample_rate=8000),
    )
    return replace(run, turns=(replace(run.turns[0], chunks=chunks),))


def test_what_was_kept_is_cut_into_its_chunks(tmp_path: Path) -> None:
    run = with_audio()
    audio_file.save(run, tmp_path / "run.wav")
    found = audio_peaks.segments(run, tmp_path / "run.wav")
    assert [(each.turn_num, each.chunk_num, each.pcm, each.sample_rate) for each in found] == [
        (1, 1, LOUD, 8000), (1, 2, QUIET, 8000),
    ]  # fmt: skip


def test_audio_of_another_length_is_not_cut_anywhere(tmp_path: Path) -> None:
    write_wav(tmp_path / "run.wav", LOUD, 8000)
    assert audio_peaks.segments(with_audio(), tmp_path / "run.wav") == []


@pytest.mark.parametrize("kept", [b"", b"RIFF", b"no sound at all" * 9])
def test_a_file_that_is_no_audio_is_an_error(tmp_path: Path, kept: bytes) -> None:
    (tmp_path / "run.wav").write_bytes(kept)
    with pytest.raises(OSError, match="no WAV file"):
        audio_peaks.segments(with_audio(), tmp_path / "run.wav")


def test_a_waveform_goes_from_the_highest_to_the_lowest() -> None:
    pcm = struct.pack("<4h", 16384, -16384, 8192, 0)
    # 20 is the middle; each point is a little outside of it, so that silence is a line.
    assert audio_peaks.outline(pcm) == "M0 -0.3L1 39.7L2 9.7L3 19.7L3 20.3L2 10.3L1 40.3L0 0.3Z"


def test_silence_is_a_line_and_nothing_is_nothing() -> None:
    assert audio_peaks.outline(b"\0" * 8) == "M0 19.7L1 19.7L2 19.7L3 19.7L3 20.3L2 20.3L1 20.3L0 20.3Z"
    assert audio_peaks.outline(b"") == ""


def test_a_long_segment_has_as_many_points_as_a_picture_has_columns() -> None:
    assert audio_peaks.outline(b"\x00\x40" * 100_000).count("L") == 2 * 240 - 1


def test_a_sound_knows_how_long_it_is() -> None:
    assert audio_peaks.sound(audio_peaks.Segment(1, 1, LOUD, 8000), "x").seconds == pytest.approx(0.0375)
