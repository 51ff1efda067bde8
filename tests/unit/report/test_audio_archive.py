"""The last runs' audio: so many files, and none for a run without sound."""

from dataclasses import replace
from pathlib import Path

import pytest
from records import chunk, record, turn

from probe.report.audio_archive import AudioArchive


def write(archive: AudioArchive, run_id: str, pcm: bytes) -> None:
    spoken = chunk(frames=[(0, 100)] if pcm else (), tts_text_sent=0)
    made = record(turn(replace(spoken, pcm=pcm)))
    archive.write(replace(made, plan=replace(made.plan, run_id=run_id)))


def test_only_the_last_stay(tmp_path: Path) -> None:
    archive = AudioArchive(tmp_path / "a" / "b", keep=2)
    (tmp_path / "a" / "b" / "mine.wav").write_text("somebody else's")
    for number in range(1, 5):
        write(archive, f"20261122T12000{number}Z-abcdef", b"\0\1" * 800)
    write(archive, "20261122T120009Z-abcdef", b"")
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == [
        "20261122T120003Z-abcdef.wav", "20261122T120004Z-abcdef.wav", "mine.wav"
    ]  # fmt: skip


def test_a_folder_that_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="Not a directory"):
        AudioArchive(tmp_path / "file" / "a", keep=1)


def test_names_from_the_future_go_first(tmp_path: Path) -> None:
    """What a daemon left whose clock was a year ahead is older than what comes now."""
    for number in range(3):
        (tmp_path / f"20271129T12000{number}Z-aaaaaa.wav").write_bytes(b"RIFF")
    archive = AudioArchive(tmp_path, keep=3)
    for number in range(1, 3):
        write(archive, f"20261129T12000{number}Z-abcdef", b"\0\1" * 800)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "20261129T120001Z-abcdef.wav", "20261129T120002Z-abcdef.wav", "20271129T120002Z-aaaaaa.wav"
    ]  # fmt: skip
