"""`probe serve wyoming` as a process: what the client of the protocol's own library, and ours, are content with."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import pytest
from others import program

from probe.reference.wyoming import events

PATIENCE_S = 60
COMMAND = [sys.executable, "-m", "probe", "serve", "wyoming"]
# The library is not in our environment.
CLIENT = """
import asyncio, json, sys
from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.info import Describe, Info
from wyoming.tts import (
    Synthesize, SynthesizeChunk, SynthesizeStart, SynthesizeStop, SynthesizeStopped, SynthesizeVoice,
)

async def answers(client, last):
    heard, chunks = [], []
    while (event := await client.read_event()) is not None:
        if AudioChunk.is_type(event.type):
            chunks.append(AudioChunk.from_event(event))
        else:
            heard.append(event.type)
        if event.type == last:
            return heard, chunks

async def understood(client, chunks):
    await client.write_event(Transcribe(language="en").event())
    await client.write_event(AudioStart(chunks[0].rate, chunks[0].width, chunks[0].channels).event())
    for chunk in chunks:
        await client.write_event(chunk.event())
    await client.write_event(AudioStop().event())
    while not Transcript.is_type((event := await client.read_event()).type):
        pass
    return Transcript.from_event(event).text

async def main(port):
    async with AsyncTcpClient("127.0.0.1", port) as client:
        await client.write_event(Describe().event())
        info = Info.from_event(await client.read_event())
        told, model = info.tts[0], info.asr[0].models[0]
        await client.write_event(Synthesize("Hello there.", voice=SynthesizeVoice(name="leo")).event())
        whole, spoken = await answers(client, "audio-stop")
        await client.write_event(Synthesize("What is the capital of France?").event())
        heard = await understood(client, (await answers(client, "audio-stop"))[1])
        await client.write_event(SynthesizeStart(voice=SynthesizeVoice(name="leo")).event())
        for piece in ("Hel", "lo there. ", "I am", " here."):
            await client.write_event(SynthesizeChunk(piece).event())
        await client.write_event(SynthesizeStop().event())
        stream, more = await answers(client, SynthesizeStopped().event().type)
    frames = [sum(chunk.samples for chunk in chunks) for chunks in (spoken, more)]
    voices = [voice.name for voice in told.voices]
    print(json.dumps([told.supports_synthesize_streaming, voices, whole, stream, frames, model.languages, heard]))

asyncio.run(main(int(sys.argv[1])))
"""


@asynccontextmanager
async def running() -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """Yield the process and its port."""
    process = await asyncio.create_subprocess_exec(*COMMAND, "--port", "0", stderr=subprocess.PIPE)
    assert process.stderr is not None
    try:
        async with asyncio.timeout(PATIENCE_S):
            first, hint, hears = [(await process.stderr.readline()).decode().split() for _ in range(3)]
        assert first[:2] == ["listening", "on"] and hint[-1] == first[-1]
        assert " ".join(hears).startswith(f'it hears, too: url = "{first[-1]}"')
        yield process, int(first[-1].rpartition(":")[2])
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.servers
async def test_the_client_of_others_is_content() -> None:
    async with running() as (_, port):
        client = await asyncio.create_subprocess_exec(
            program("python", "nothing"), "-c", CLIENT, str(port), stdout=subprocess.PIPE
        )
        async with asyncio.timeout(PATIENCE_S):
            output, _ = await client.communicate()
    streaming, voices, whole, stream, (frames, more), languages, heard = json.loads(output)
    assert streaming and "leo" in voices
    assert whole == ["audio-start", "audio-stop"] and frames > 10_000
    assert stream == ["audio-start", "audio-stop"] * 2 + ["synthesize-stopped"] and more > frames
    assert languages == ["en"] and {"capital", "france"} <= set(heard.split())


async def test_it_understands_what_it_says_itself() -> None:
    async with running() as (_, port), asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=events.LONGEST_LINE)
        writer.write(events.written("synthesize", {"text": "What is the capital of France?"}))
        chunks = []
        while (event := await events.read(reader)) is not None and event.type != "audio-stop":
            chunks.append(event)
        form = chunks[0].data
        writer.write(events.written("audio-start", form))
        for chunk in chunks[1:]:
            writer.write(events.written("audio-chunk", form, chunk.payload))
        for _ in range(50):  # a second of silence
            writer.write(events.written("audio-chunk", form, bytes(882)))
        writer.write(events.written("audio-stop"))
        found = [event async for event in _until(reader, "transcript")]
        writer.close()
    assert [event.type for event in found] == ["voice-started", "voice-stopped", "transcript"]
    assert {"capital", "france"} <= set((found[-1].text("text") or "").split())


async def _until(reader: asyncio.StreamReader, last: str) -> AsyncIterator[events.Event]:
    while (event := await events.read(reader)) is not None:
        yield event
        if event.type == last:
            return


async def test_a_signal_ends_it_while_it_speaks() -> None:
    async with running() as (process, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        data = json.dumps({"text": "A sentence. " * 300}).encode()
        writer.write(json.dumps({"type": "synthesize", "data_length": len(data)}).encode() + b"\n" + data)
        async with asyncio.timeout(PATIENCE_S):
            assert b"audio-start" in await reader.readline()
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
        writer.close()


def test_a_taken_port_is_one_line() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        options = ["--port", str(taken.getsockname()[1])]
        done = subprocess.run([*COMMAND, *options], capture_output=True, timeout=PATIENCE_S, check=False, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "in use" in done.stderr
