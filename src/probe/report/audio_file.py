"""What the listener heard, as a WAV file: all segments of all turns back to back."""

from pathlib import Path

from probe.audio import write_wav
from probe.record import RunRecord


def check_writable(path: Path) -> None:
    """Find out before a run whether its audio can be saved. Raises OSError; leaves nothing behind."""
    existed = path.exists()
    with path.open("ab"):
        pass
    if not existed:
        path.unlink()


def save(record: RunRecord, path: Path) -> int:
    """Write the run's audio and return its bytes; without any, nothing is written. Raises OSError."""
    heard = [chunk for turn in record.turns for chunk in turn.chunks if chunk.pcm]
    pcm = b"".join(chunk.pcm for chunk in heard)
    if heard and heard[0].sample_rate:
        write_wav(path, pcm, heard[0].sample_rate)
    return len(pcm)
