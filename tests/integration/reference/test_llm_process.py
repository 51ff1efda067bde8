"""`probe serve llm` as a process: how it starts, what it prints and how it ends."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from llm_talk import SECONDS, STORY, health_of, talk_to

NOBODY = "http://127.0.0.1:1"


@asynccontextmanager
async def process(*options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    command = [sys.executable, "-m", "probe", "serve", "llm", "--port", "0", *options]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr
    async with asyncio.timeout(SECONDS):
        line = (await process.stderr.readline()).decode()
    assert line.startswith("listening on ws://127.0.0.1:")
    return line.split()[-1]


async def end(process: asyncio.subprocess.Process) -> tuple[int, str]:
    """Return the exit code and the rest of stderr."""
    assert process.stderr
    async with asyncio.timeout(SECONDS):
        rest = (await process.stderr.read()).decode()
        return await process.wait(), rest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_signal_ends_it(number: signal.Signals) -> None:
    async with process("--llama-url", NOBODY, "--slot-cooldown-ms", "250") as server:
        url = await address(server)
        health = await health_of(url)
        server.send_signal(number)
        assert await end(server) == (0, "")
    assert health == {
        "status": "degraded",
        "llama_server": "unreachable",
        "llama_url": NOBODY,
        "active_streams": 0,
        "slot_cooldown_ms": 250,
    }


async def test_signal_ends_it_while_it_generates_and_llama_cpp_is_quiet() -> None:
    async with process() as server, talk_to(await address(server)) as talk:
        await talk.send(action="start_stream", stream_id="s", messages=STORY, stream_tokens=True)
        assert (await talk.receive())["type"] == "token"
        server.terminate()
        assert await end(server) == (0, "")


async def test_verbose_shows_llama_cpps_log() -> None:
    async with process("--verbose", "--ctx-size", "512") as server:
        assert server.stderr
        async with asyncio.timeout(SECONDS):
            while b"listening on ws://" not in (line := await server.stderr.readline()):
                assert line, "it ended"
                if b"n_ctx_slot = 512" in line:
                    return
    pytest.fail("llama.cpp said nothing about its context")


async def test_gguf_that_is_broken(tmp_path: Path) -> None:
    model = tmp_path / "broken.gguf"
    model.write_bytes(b"GGUF" + b"\xff" * 5000)
    async with process("--model", str(model)) as server:
        code, line = await end(server)
    assert code == 2
    assert line == f"probe: llama.cpp can't load {model}; --verbose shows its reasons\n"
