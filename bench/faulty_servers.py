"""Servers in a process of their own that go wrong at random, and say in the end what they were left with."""

import asyncio
import multiprocessing
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from probe.reference.faults import (
    Close,
    Drop,
    Http,
    LlmScript,
    Reset,
    ScriptedLlm,
    ScriptedTts,
    Stall,
    Text,
    TtsScript,
    TtsTurn,
    Wait,
    audio,
    llm,
    tts,
)
from probe.reference.faults.llm import LlmTurn

T = TypeVar("T")

SPEECH = tts.speech(200)
HELLO = llm.tokens(" Hello", " there.")
# As often as all faults of a server together.
HEALTHY_SHARE = 0.6
LLM_FAULTS: tuple[LlmTurn, ...] = (
    ((Stall(),),),
    ((*HELLO, Stall()),),
    ((*HELLO, Drop()),),
    ((*HELLO, Reset()),),
    ((*HELLO, Close(1011, "kaput")),),
    ((Text("<html>"),),),
    ((*HELLO, llm.error("out of memory")),),
    ((llm.done(reason="empty_response"),),),
    (llm.last_chunk(" Hello", " there.", first=0.2),),
    ((*llm.last_chunk(" Hello", " there."), Drop()),),
)
TTS_FAULTS = (
    TtsTurn(on_init=(Stall(),)),
    TtsTurn(on_init=(Drop(),)),
    TtsTurn(segments=((Stall(),),)),
    TtsTurn(segments=((*SPEECH, Stall()),)),
    TtsTurn(segments=((*SPEECH, Drop()),)),
    TtsTurn(segments=((*SPEECH, Text("garbage")),)),
    TtsTurn(segments=(tts.pcm(audio.silence(200)),)),
    TtsTurn(segments=(tts.pcm(audio.noise(200)),)),
    TtsTurn(segments=(tts.pcm(audio.tone(200) + b"\0"),)),
    TtsTurn(segments=((*SPEECH, Wait(0.2), *SPEECH),)),
    TtsTurn(segments=((tts.error("out of memory", fatal=True),),)),
    TtsTurn(on_close=(Drop(),)),
    TtsTurn(on_close=(tts.DONE, *SPEECH)),
)
CONNECTING = ((Http(503),), (Drop(),), (Reset(),), (Stall(),))
# A spell in which nobody gets through, and how long until the next.
SPELL_S, PEACE_S = 0.3, 5.0
_FORGET_S = 1.0


class AtRandom(Sequence[T]):
    """An endless script."""

    def __init__(self, healthy: T, faults: Sequence[T], seed: int) -> None:
        self._healthy, self._faults = healthy, faults
        self._chance = random.Random(seed)  # noqa: S311 - nothing secret

    def __len__(self) -> int:
        return sys.maxsize

    def __getitem__(self, _index: Any) -> Any:
        return self._healthy if self._chance.random() < HEALTHY_SHARE else self._chance.choice(self._faults)


@dataclass(frozen=True)
class Left:
    """What the servers have in the end, when nobody is there any more."""

    slots: int
    connections: int


@dataclass
class FaultyServers:
    """Where they are."""

    llm_url: str
    newer_url: str
    older_url: str
    _pipe: Connection

    def left(self) -> Left:
        """Call once, at the end."""
        self._pipe.send("end")
        left: Left = self._pipe.recv()
        return left


@contextmanager
def faulty_servers() -> Iterator[FaultyServers]:
    """Serve while the context is open."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    llm_url, newer_url, older_url = ours.recv()
    yield FaultyServers(llm_url, newer_url, older_url, ours)
    process.terminate()
    process.join()


def _serve(pipe: Connection) -> None:
    asyncio.run(_serve_until_told(pipe))


async def _serve_until_told(pipe: Connection) -> None:
    healthy = TtsTurn(segments=(SPEECH,))
    newer = TtsScript(turns=AtRandom(healthy, TTS_FAULTS, 2))
    older = TtsScript(turns=AtRandom(healthy, TTS_FAULTS, 3), generation="older")
    async with (
        ScriptedLlm(LlmScript(turns=AtRandom(llm.HEALTHY_TURN, LLM_FAULTS, 1), slots=sys.maxsize)) as llm_server,
        ScriptedTts(newer) as newer_server,
        ScriptedTts(older) as older_server,
    ):
        servers = (llm_server, newer_server, older_server)
        pipe.send(tuple(server.url for server in servers))
        chores = [asyncio.ensure_future(_forget(servers)), asyncio.ensure_future(_spells(newer_server))]
        await asyncio.to_thread(pipe.recv)
        for chore in chores:
            chore.cancel()
        await asyncio.sleep(_FORGET_S)
        pipe.send(Left(len(llm_server.active_streams), sum(server.open_connections for server in servers)))


async def _forget(servers: Sequence[ScriptedLlm | ScriptedTts]) -> None:
    while True:
        await asyncio.sleep(_FORGET_S)
        for server in servers:
            server.log.entries.clear()


async def _spells(server: ScriptedTts) -> None:
    script, chance = server.script, random.Random(4)  # noqa: S311 - nothing secret
    while True:
        await asyncio.sleep(PEACE_S)
        server.script = replace(script, on_handshake=chance.choice(CONNECTING))
        await asyncio.sleep(SPELL_S)
        server.script = script
