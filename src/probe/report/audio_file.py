"""What the listener heard, as a WAV file: all segments of all turns back to back."""

from pathlib import Path
from typing import BinaryIO

from probe.audio import write_wav, write_wav_into
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
    pcm, rate = _heard(record)
    if rate:
        write_wav(path, pcm, rate)
    return len(pcm)


def save_into(record: RunRecord, stream: BinaryIO) -> int:
    """The same into a file that is open, such as a pipe."""
    pcm, rate = _heard(record)
    if rate:
        write_wav_into(stream, pcm, rate)
    return len(pcm)


def _heard(record: RunRecord) -> tuple[bytes, int | None]:
    """The samples, and how many there are in a second; None without any."""
    heard = [chunk for turn in record.turns for chunk in turn.chunks if chunk.pcm]
    return b"".join(chunk.pcm for chunk in heard), heard[0].sample_rate if heard else None
