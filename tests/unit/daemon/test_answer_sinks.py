"""How well an answer was understood reaches all that want it, and a disk that hangs costs one thread of the process."""

import asyncio
import threading

import pytest
from runs import record

from probe.daemon import answer_sinks
from probe.daemon.answer_sinks import AnswerSinks
from probe.record import RunRecord
from probe.transcription import Transcription

FOUND = Transcription(1, 2, "wyoming", "tcp://localhost:10300")


class Sinks:
    """A history, and one other sink, with what they were given."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.taken: list[str] = []
        self.errors: list[str] = []
        self.writes = threading.Event()
        self.writes.set()
        self.sinks = AnswerSinks(self._keep, [("log", self._take)], lambda _sink, what: self.errors.append(what))

    def take(self, *numbers: int) -> None:
        async def go() -> None:
            for number in numbers:
                await self.sinks.take(record(number), FOUND)

        asyncio.run(go())

    def _keep(self, run_id: str, _found: Transcription) -> bool:
        self.writes.wait()
        self.kept.append(run_id[-2:])
        return True

    def _take(self, run: RunRecord, _found: Transcription) -> None:
        self.taken.append(run.plan.run_id[-2:])


def test_all_get_it_and_one_that_raises_keeps_it_from_no_other() -> None:
    found = Sinks()
    found.take(1)
    assert (found.kept, found.taken, found.errors) == (["01"], ["01"], [])
    found.sinks._keep = lambda *_: False
    found.take(2)
    assert found.taken == ["01", "02"]
    (error,) = found.errors
    assert "the history does not have that run" in error


def test_a_disk_that_hangs_takes_one_thread_and_what_comes_meanwhile_is_lost_aloud(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answer_sinks, "PATIENCE_S", 0.001)
    found = Sinks()
    found.writes.clear()

    async def go() -> None:
        for number in range(1, 20):
            await found.sinks.take(record(number), FOUND)
        found.writes.set()
        assert found.sinks._going is not None
        await found.sinks._going
        monkeypatch.undo()
        await found.sinks.take(record(20), FOUND)

    asyncio.run(go())
    assert (found.kept, found.taken) == (["01", "14"], ["01", "14"]), "name lookups need the other threads"
    late, *lost = found.errors
    assert "is late or lost" in late and len(lost) == 18
