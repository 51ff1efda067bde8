"""Scripted servers on a thread of their own, for tests that wait for something else."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from probe.reference.faults import ScriptedLlm, ScriptedTts

_START_S = 60


@dataclass(frozen=True)
class Servers:
    llm: ScriptedLlm
    tts: ScriptedTts


@contextmanager
def servers() -> Iterator[Servers]:
    """Both, until the context ends. Their scripts may be replaced; new connections follow the new ones."""
    both = Servers(ScriptedLlm(), ScriptedTts())
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with both.llm, both.tts:
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(_START_S), "the scripted servers did not start"
    try:
        yield both
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(_START_S)
        loop.close()
