"""`probe serve openai` as a process: what it prints, how it ends, and what it says when it can't start."""

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import aiohttp
import pytest

PATIENCE_S = 60
COMMAND = [sys.executable, "-m", "probe", "serve", "openai"]


@asynccontextmanager
async def running() -> AsyncIterator[tuple[asyncio.subprocess.Process, str, list[str]]]:
    """Yield the process, its base URL and the lines after it."""
    process = await asyncio.create_subprocess_exec(*COMMAND, "--port", "0", stderr=subprocess.PIPE)
    assert process.stderr is not None
    try:
        async with asyncio.timeout(PATIENCE_S):
            first, *hints = [(await process.stderr.readline()).decode().strip() for _ in range(3)]
        assert first.startswith("listening on http://127.0.0.1:")
        yield process, first.split()[-1], hints
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def ends_cleanly(process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(PATIENCE_S):
        _, rest = await process.communicate()
    assert (process.returncode, rest) == (0, b"")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it_while_it_answers_and_speaks(number: signal.Signals) -> None:
    chat = {"messages": [{"role": "user", "content": "Hi."}], "max_tokens": 3000, "ignore_eos": True, "stream": True}
    speech = {"input": "A sentence. " * 300, "response_format": "pcm"}
    async with (
        running() as (process, url, _),
        aiohttp.ClientSession() as session,
        session.post(f"{url}/chat/completions", json=chat) as answer,
        session.post(f"{url}/audio/speech", json=speech) as audio,
    ):
        await answer.content.readline()
        await audio.content.readexactly(1)
        process.send_signal(number)
        await ends_cleanly(process)


async def test_it_says_how_to_use_it() -> None:
    async with running() as (process, url, hints):
        process.terminate()
        await ends_cleanly(process)
    assert hints[0].endswith(f" -m probe run --llm-url {url} --tts-url {url}"), "as it was started itself"
    assert hints[1].startswith(f"curl {url}/audio/speech ")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--model", "missing.gguf"], "can't read the model missing.gguf"),
        (["--model", __file__], "is not a GGUF file"),
        (["--engine", "piper"], "--engine piper needs --piper-voice FILE.onnx"),
        (["--voice", "alloy"], "'alloy' is not one of 'john'"),
    ],
)
def test_what_can_not_start_is_one_line(options: list[str], expected: str) -> None:
    done = subprocess.run([*COMMAND, *options], capture_output=True, timeout=PATIENCE_S, check=False, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert expected in done.stderr


def test_a_taken_port_is_one_line() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        options = ["--port", str(taken.getsockname()[1])]
        done = subprocess.run([*COMMAND, *options], capture_output=True, timeout=PATIENCE_S, check=False, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "in use" in done.stderr


def test_a_voice_that_can_not_be_loaded_is_one_line(tmp_path: Path) -> None:
    voice = tmp_path / "broken.onnx"
    voice.write_bytes(b"not a model")
    (tmp_path / "broken.onnx.json").write_text('{"espeak": {"voice": "en-us"}}')
    options = ["--port", "0", "--engine", "piper", "--piper-voice", str(voice)]
    done = subprocess.run([*COMMAND, *options], capture_output=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 1
    assert b"could not be loaded" in done.stderr.splitlines()[-1]
    assert b"Traceback" not in done.stderr
