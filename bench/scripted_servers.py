"""Servers that answer at once, and a collector that takes every span, in a process of their own."""

import asyncio
import multiprocessing
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from probe import config
from probe.config import Config
from probe.reference.faults import SPEECH as HTTP_SPEECH
from probe.reference.faults import (
    HttpScript,
    LlmScript,
    ScriptedHttp,
    ScriptedLlm,
    ScriptedTts,
    TtsScript,
    TtsTurn,
    llm,
    speech,
    tts,
)

# As a short answer of a real server: two chunks, 1.2 s of audio.
TURN = (llm.chunk("Why did", " the unicorn"), llm.last_chunk(" cross", " the road?"))
SPEECH = TtsTurn(segments=(tts.speech(500), tts.speech(700)))
AUDIO_S = 1.2
_FORGET_S = 1.0


@dataclass(frozen=True)
class Addresses:
    llm_url: str
    tts_url: str
    collector_url: str
    openai_url: str


@contextmanager
def servers() -> Iterator[Addresses]:
    """Serve while the context is open."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    yield ours.recv()
    process.terminate()
    process.join()


@contextmanager
def configured(targets: int = 1, more: str = "", urls: tuple[str, ...] = ()) -> Iterator[tuple[Config, Path]]:
    """A configuration of so many targets, with every sink but audio on, and its file.

    `urls` are of other servers, an LLM's and a TTS server's, or of one agent.
    """
    with servers() as at, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "probe.toml"
        names = ("agent.url",) if len(urls) == 1 else ("llm_url", "tts_url")
        given = "\n".join(
            f'{name} = "{url}"' for name, url in zip(names, urls or (at.llm_url, at.tts_url), strict=True)
        )
        tables = [
            f'[targets.t{number}]\n{given}\n[schedules.t{number}]\ntarget = "t{number}"' for number in range(targets)
        ]
        rest = f'[daemon]\nstate_dir = "{folder}/state"\n[http]\nport = 0\n[otlp]\nendpoint = "{at.collector_url}"'
        path.write_text("\n".join([*tables, rest, '[log]\nformat = "json"', more]))
        yield config.load(path), path


def _serve(pipe: Connection) -> None:
    asyncio.run(_serve_until_killed(pipe))


async def _serve_until_killed(pipe: Connection) -> None:
    collector = await asyncio.start_server(_collect, "127.0.0.1", 0)
    port = collector.sockets[0].getsockname()[1]
    async with (
        ScriptedLlm(LlmScript(turns=(TURN,))) as llm_server,
        ScriptedTts(TtsScript(turns=(SPEECH,))) as tts_server,
        ScriptedHttp(HttpScript(answers={HTTP_SPEECH: (speech.pcm(AUDIO_S * 1000),)})) as http_server,
    ):
        pipe.send(Addresses(llm_server.url, tts_server.url, f"http://127.0.0.1:{port}", http_server.url))
        while True:
            await asyncio.sleep(_FORGET_S)
            for server in (llm_server, tts_server, http_server):
                server.log.entries.clear()


async def _collect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(int(length.partition(b":")[2]))
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()
    writer.close()
