"""The last runs' audio as WAV files, for a person who wants to hear what the figures say."""

from pathlib import Path

from probe.record import RunRecord
from probe.report import audio_file


class AudioArchive:
    """A sink: one file a run, named by its id; only the last `keep` stay."""

    name = "audio"

    def __init__(self, folder: Path, keep: int) -> None:
        """Make the folder. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._keep = keep

    def write(self, record: RunRecord) -> None:
        if not any(chunk.audio_bytes for turn in record.turns for chunk in turn.chunks):
            return
        audio_file.save(record, self._folder / f"{record.plan.run_id}.wav")
        # Run ids sort by time.
        for old in sorted(self._folder.glob("*T*Z-*.wav"))[: -self._keep]:
            old.unlink()

    def close(self, timeout_s: float) -> None:
        """Nothing is held back."""
