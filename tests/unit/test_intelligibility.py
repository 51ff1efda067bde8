"""An answer's transcript is compared where that holds up nothing."""

import asyncio
import threading
from dataclasses import replace
from typing import Any

import pytest
from runs import record

from probe import intelligibility
from probe.clock import AnchoredClock
from probe.config.intelligibility import IntelligibilityConfig
from probe.engine.transcribe import Dictation
from probe.record import RunRecord
from probe.transport.connector import SocketConnector

STT = {"url": "tcp://localhost:10300"}


def spoken() -> RunRecord:
    run = record()
    turns = tuple(replace(each, chunks=tuple(replace(c, pcm=bytes(4400)) for c in each.chunks)) for each in run.turns)
    return replace(run, turns=turns)


def test_the_event_loop_does_not_wait_for_the_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    compared_in: list[str] = []

    async def heard(*_: Any) -> Dictation:
        await asyncio.sleep(0)
        return Dictation(("what was heard",))

    def compared(_said: str, _understood: str) -> tuple[int, int]:
        compared_in.append(threading.current_thread().name)
        return 7, 1

    monkeypatch.setattr(intelligibility, "transcribed", heard)
    monkeypatch.setattr(intelligibility, "compared", compared)
    run, clock = spoken(), AnchoredClock.anchored_now()
    recogniser = intelligibility.recogniser_of(IntelligibilityConfig.of(stt=STT), "local")
    assert recogniser is not None
    answers = intelligibility.answers(run)

    async def go() -> None:
        found = await intelligibility.transcription(run, answers, recogniser, SocketConnector(clock), clock)
        assert (found.mishap, found.words, found.errors) == (None, 7, 1)

    asyncio.run(go())
    assert len(compared_in) == len(answers) == 1
    assert threading.current_thread().name not in compared_in
