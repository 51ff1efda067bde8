"""`probe serve tts` as a process: how it starts, how it ends, and what it says when it can't start."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path

import pytest
from aiohttp import ClientSession, WSMsgType
from aiohttp.test_utils import TestServer

from probe.reference.speech.engine import Utterance
from probe.reference.speech.synthesizer import Synthesizer
from probe.reference.tts_server import Service, create_app
from probe.reference.tts_stream import NewerStream

PATIENCE_S = 60
COMMAND = [sys.executable, "-m", "probe", "serve", "tts"]


@asynccontextmanager
async def running() -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    process = await asyncio.create_subprocess_exec(*COMMAND, "--port", "0", stderr=subprocess.PIPE)
    assert process.stderr is not None
    try:
        async with asyncio.timeout(PATIENCE_S):
            line = await process.stderr.readline()
        yield process, line.decode().removeprefix("listening on ").strip()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def ends_cleanly(process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(PATIENCE_S):
        _, rest = await process.communicate()
    assert (process.returncode, rest) == (0, b"")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it_while_it_speaks(number: signal.Signals) -> None:
    text = "A sentence to be spoken. " * 2000
    async with running() as (process, url), ClientSession() as session, session.ws_connect(url) as client:
        await client.send_str('{"type": "init"}')
        await client.send_str(json.dumps({"type": "text", "text": text, "mode": "stream"}))
        while (await client.receive(PATIENCE_S)).type is WSMsgType.TEXT:
            pass
        process.send_signal(number)
        ending = asyncio.create_task(ends_cleanly(process))
        while (last := await client.receive(PATIENCE_S)).type is WSMsgType.BINARY:
            pass
        assert (last.type, last.data) == (WSMsgType.CLOSE, 1001)
        await ending


async def test_a_signal_ends_it_while_it_loads() -> None:
    async with running() as (process, _):
        process.send_signal(signal.SIGTERM)
        await ends_cleanly(process)


def test_a_taken_port_is_one_line() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run([*COMMAND, "--port", port], capture_output=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert b"in use" in done.stderr


def test_a_voice_that_cannot_be_loaded_is_one_line(tmp_path: Path) -> None:
    voice = tmp_path / "broken.onnx"
    voice.write_bytes(b"not a model")
    (tmp_path / "broken.onnx.json").write_text('{"espeak": {"voice": "en-us"}}')
    command = [*COMMAND, "--port", "0", "--engine", "piper", "--piper-voice", str(voice)]
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 1
    assert b"could not be loaded" in done.stderr.splitlines()[-1]
    assert b"Traceback" not in done.stderr


class SlowEngine:
    """Loads until it is let go."""

    languages = ("en",)

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def load(self) -> None:
        assert self.let_go.wait(PATIENCE_S)

    def utter(self, text: str, voice: str, language: str) -> Utterance:  # noqa: ARG002 - the engines' signature
        raise RuntimeError("nothing to say")


async def test_health_is_loading_until_the_engine_is_warm_and_an_engine_that_fails_is_a_500() -> None:
    engine = SlowEngine()
    synthesizer = Synthesizer(engine, 22000)
    app = create_app(Service(synthesizer, partial(NewerStream, sample_rate=22000), idle_s=30))
    async with TestServer(app) as server, ClientSession() as session:
        loading = asyncio.create_task(synthesizer.load())
        async with session.get(server.make_url("/health")) as health:
            assert (health.status, await health.json()) == (200, {"status": "loading", "model_loaded": False})
        engine.let_go.set()
        async with asyncio.timeout(PATIENCE_S):
            await loading
        async with session.get(server.make_url("/health")) as health:
            assert (health.status, await health.json()) == (200, {"status": "healthy", "model_loaded": True})
        async with session.post(server.make_url("/v1/audio/speech"), json={"input": "Hi"}) as speech:
            error = (await speech.json())["error"]
            assert (speech.status, error["type"]) == (500, "server_error")
            assert "nothing to say" in error["message"]
    synthesizer.close()
