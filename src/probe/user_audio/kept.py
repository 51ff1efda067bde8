"""Speech that a TTS server made, kept on disk by its text and its voice: private, as every text is."""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from probe.audio import write_wav_into
from probe.plan import ServerPlan

_FOLDER, _FILE = 0o700, 0o600


def path_of(folder: Path, text: str, server: ServerPlan) -> Path:
    """Where the speech of a text by a TTS server is kept, whatever there is of it."""
    who = [server.protocol, server.url, sorted(server.options.items()), text]
    return folder / f"{hashlib.sha256(json.dumps(who, default=str).encode()).hexdigest()[:32]}.wav"


def keep(path: Path, pcm: bytes, sample_rate: int) -> None:
    """Write it, whole or not at all. Raises OSError."""
    # The modes of parents that `mkdir` makes as well are not chosen.
    for folder in (path.parent.parent, path.parent):
        folder.mkdir(mode=_FOLDER, parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(unfinished, flags, _FILE), "wb") as file:
            write_wav_into(file, pcm, sample_rate)
        unfinished.replace(path)
    except OSError:
        with suppress(OSError):
            unfinished.unlink()
        raise
