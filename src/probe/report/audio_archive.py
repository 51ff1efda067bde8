"""The last runs' audio as WAV files, for a person who wants to hear what the figures say."""

from pathlib import Path

from probe.record import RunRecord
from probe.report import audio_file


class AudioArchive:
    """A sink: one file per run, named by its id; only the last `keep` stay."""

    name = "audio"

    def __init__(self, folder: Path, keep: int) -> None:
        """Make the folder. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._keep = keep
        # In the order in which they were written, whatever the clock said: names from the future are not the newest.
        self._written = sorted(folder.glob("*T*Z-*.wav"))

    def write(self, record: RunRecord) -> None:
        if not any(chunk.audio_bytes for turn in record.turns for chunk in turn.chunks):
            return
        path = self._folder / f"{record.plan.run_id}.wav"
        audio_file.save(record, path)
        self._written.append(path)
        while len(self._written) > self._keep:
            self._written.pop(0).unlink(missing_ok=True)

    def close(self, timeout_s: float) -> None:
        """Nothing is buffered."""
