"""Answers are transcribed when nobody needs the servers: not during a run, nor shortly before one, nor beside users."""

import asyncio
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from runs import failed, record, suspect

from probe.config import Config
from probe.config.intelligibility import IntelligibilityConfig
from probe.daemon import transcriber
from probe.daemon.courtesy import Finding
from probe.daemon.transcriber import MOST_WAITING, Transcriber
from probe.intelligibility import Recogniser, Spoken
from probe.plan import Target
from probe.record import RunRecord
from probe.transcription import AnswerTranscript, Transcription

if TYPE_CHECKING:
    from collections.abc import Callable

SECOND = bytes(44_000)
STT = {"url": "tcp://localhost:10300"}


def spoken(number: int = 1, *, target: str = "local", pcm: bytes = SECOND, run: RunRecord | None = None) -> RunRecord:
    """A run with the audio of its answer: two chunks of the same length."""
    run = run or record(number, target=target)
    turns = tuple(replace(each, chunks=tuple(replace(c, pcm=pcm) for c in each.chunks)) for each in run.turns)
    return replace(run, turns=turns)


class Daemon:
    """A transcriber, on virtual time, with scripted users, runs and a recogniser that takes three seconds."""

    def __init__(self, virtual: Any, **settings: Any) -> None:
        self.loop = virtual.loop
        chosen = IntelligibilityConfig.of(**({"stt": STT, "every_s": 0} | settings))
        self.users = Finding()
        self.asked: list[float] = []
        self.began: list[tuple[str, float]] = []
        self.kept: list[tuple[str, float, str]] = []
        self.free_s: Callable[[], float] = lambda: math.inf
        self.transcriber = Transcriber(
            Config(intelligibility=chosen), self._keep, self._transcribe, self._users, virtual.loop.time
        )

    def run(self, virtual: Any, script: Any, until: float) -> None:
        async def go() -> None:
            working = asyncio.ensure_future(self.transcriber.work(self._free_s))
            acting = asyncio.ensure_future(script())
            await asyncio.sleep(until)
            working.cancel()
            await acting

        virtual.run(go())

    def _free_s(self) -> float:
        return self.free_s()

    async def _transcribe(self, run: RunRecord, _spoken: tuple[Spoken, ...], _by: Recogniser) -> Transcription:
        self.began.append((run.plan.run_id[-2:], self.loop.time()))
        await asyncio.sleep(3)
        return Transcription(1, 2, "wyoming", "tcp://localhost:10300", (AnswerTranscript(1, "what was heard", 7, 1),))

    async def _users(self, _target: Target) -> Finding:
        self.asked.append(self.loop.time())
        await asyncio.sleep(0)
        return self.users

    async def _keep(self, run: RunRecord, found: Transcription) -> None:
        assert not any(chunk.pcm for turn in run.turns for chunk in turn.chunks), "only what is needed waits"
        what = found.mishap.reason if found.mishap else "transcribed"
        self.kept.append((run.plan.run_id[-2:], self.loop.time(), what))


async def nothing() -> None:
    """Nothing happens meanwhile."""


def test_an_answer_is_transcribed_at_once_where_nothing_is_in_the_way(virtual: Any) -> None:
    daemon = Daemon(virtual)
    daemon.transcriber.offer(spoken(1))
    daemon.run(virtual, nothing, 10)
    assert daemon.began == [("01", 0.0)]
    assert daemon.kept == [("01", 3.0, "transcribed")]
    assert len(daemon.asked) == 2, "the target's servers, and the recogniser"


def test_nothing_is_transcribed_without_a_recogniser_or_for_another_target(virtual: Any) -> None:
    for settings in ({"stt": None}, {"targets": ["other"]}):
        daemon = Daemon(virtual, **settings)
        daemon.transcriber.offer(spoken(1))
        daemon.run(virtual, nothing, 10)
        assert daemon.kept == []


def cut_short() -> RunRecord:
    """An agent's answer that had shown its whole text when a person spoke into it: the sound ends before that."""
    run = record()
    chunk = replace(run.turns[0].chunks[0], tts_text_sent=None, tts_segment_done=None, segment_end=None)
    return spoken(run=replace(run, turns=(replace(run.turns[0], chunks=(chunk,)),)))


@pytest.mark.parametrize(
    "run", [spoken(run=failed()), record(), cut_short()], ids=["failed", "without audio", "cut short"]
)
def test_a_run_without_its_whole_answer_is_not_transcribed(virtual: Any, run: RunRecord) -> None:
    daemon = Daemon(virtual)
    daemon.transcriber.offer(run)
    daemon.run(virtual, nothing, 10)
    assert not daemon.kept and not daemon.asked


def test_a_suspect_run_is_transcribed_its_figures_are_in_doubt_and_not_its_answer(virtual: Any) -> None:
    daemon = Daemon(virtual)
    daemon.transcriber.offer(spoken(run=suspect()))
    daemon.run(virtual, nothing, 10)
    assert [what for _, _, what in daemon.kept] == ["transcribed"]


def test_so_often_and_no_more_of_each_series(virtual: Any) -> None:
    daemon = Daemon(virtual, every_s=60)

    async def script() -> None:
        for number in range(1, 8):
            daemon.transcriber.offer(spoken(number))
            daemon.transcriber.offer(spoken(16 + number, target="other"))
            await asyncio.sleep(20)

    daemon.run(virtual, script, 200)
    assert [run for run, _, _ in daemon.kept] == ["01", "11", "04", "14", "07", "17"]


def test_a_run_waits_for_no_transcription(virtual: Any) -> None:
    daemon = Daemon(virtual)
    entered: list[float] = []

    async def script() -> None:
        daemon.transcriber.offer(spoken(1))
        await asyncio.sleep(1)
        async with daemon.transcriber.aside():
            entered.append(virtual.loop.time())
            await asyncio.sleep(5)

    daemon.run(virtual, script, 20)
    assert entered == [1.0]
    assert daemon.began == [("01", 0.0), ("01", 6.0)], "interrupted, and begun again after the run"
    assert daemon.kept == [("01", 9.0, "transcribed")]


def test_what_runs_interrupt_each_time_is_given_up(virtual: Any) -> None:
    daemon = Daemon(virtual)

    async def script() -> None:
        daemon.transcriber.offer(spoken(1))
        for _ in range(4):
            await asyncio.sleep(1)
            async with daemon.transcriber.aside():
                await asyncio.sleep(1)

    daemon.run(virtual, script, 20)
    assert len(daemon.began) == transcriber.MOST_ATTEMPTS
    assert [what for _, _, what in daemon.kept] == ["interrupted"]


def test_a_run_of_another_target_counts_too(virtual: Any) -> None:
    daemon = Daemon(virtual)

    async def script() -> None:
        async with daemon.transcriber.aside():
            async with daemon.transcriber.aside():
                daemon.transcriber.offer(spoken(1))
                await asyncio.sleep(2)
            await asyncio.sleep(2)

    daemon.run(virtual, script, 20)
    assert daemon.began == [("01", 4.0)]
    assert min(daemon.asked) == 4.0, "no server is asked while a run takes place"


def test_none_begins_that_might_last_until_the_next_run(virtual: Any) -> None:
    daemon = Daemon(virtual, timeout_s=20, max_wait_s=30)
    due = 15.0
    daemon.free_s = lambda: max(0.0, due - virtual.loop.time()) if virtual.loop.time() < due else math.inf
    daemon.transcriber.offer(spoken(1))
    daemon.run(virtual, nothing, 60)
    ((_, began),) = daemon.began
    assert due <= began <= due + transcriber.LONGEST_LOOK_S


@pytest.mark.parametrize(
    ("finding", "reason"),
    [(Finding("2 streams in use"), "users"), (Finding("a server does not say", unknown=True), "unknown_users")],
)
def test_users_have_precedence_and_unknown_is_not_free(virtual: Any, finding: Finding, reason: str) -> None:
    daemon = Daemon(virtual, max_wait_s=60)
    daemon.users = finding
    daemon.transcriber.offer(spoken(1))
    daemon.run(virtual, nothing, 100)
    assert daemon.began == []
    ((_, given_up, what),) = daemon.kept
    assert what == reason and 60 <= given_up <= 60 + transcriber.LONGEST_LOOK_S
    assert len(daemon.asked) < 20, "not without a pause"


def test_it_begins_when_the_users_are_gone(virtual: Any) -> None:
    daemon = Daemon(virtual)
    daemon.users = Finding("1 stream in use")

    async def script() -> None:
        daemon.transcriber.offer(spoken(1))
        await asyncio.sleep(30)
        daemon.users = Finding()

    daemon.run(virtual, script, 60)
    assert [what for _, _, what in daemon.kept] == ["transcribed"]


def test_users_of_one_target_hold_up_no_other(virtual: Any) -> None:
    daemon = Daemon(virtual)

    async def users(target: Target) -> Finding:
        return Finding("1 stream in use") if target.name == "busy" else Finding()

    daemon.transcriber._users = users
    daemon.transcriber.offer(spoken(1, target="busy"))
    daemon.transcriber.offer(spoken(2, target="free"))
    daemon.run(virtual, nothing, 10)
    assert [run for run, _ in daemon.began] == ["02"]


def test_where_courtesy_is_off_nobody_is_asked(virtual: Any) -> None:
    daemon = Daemon(virtual)
    daemon.transcriber.config = Config(
        intelligibility=daemon.transcriber.config.intelligibility,
        courtesy=type(Config().courtesy).of(enabled=False),
    )
    daemon.transcriber.offer(spoken(1))
    daemon.run(virtual, nothing, 10)
    assert daemon.asked == [] and len(daemon.kept) == 1


def test_few_answers_wait_and_the_oldest_gives_way(virtual: Any) -> None:
    daemon = Daemon(virtual)
    for number in range(1, MOST_WAITING + 3):
        daemon.transcriber.offer(spoken(number))
    daemon.run(virtual, nothing, 60)
    assert sorted(run for run, _, what in daemon.kept if what == "full") == ["01", "02"]
    assert [run for run, _ in daemon.began] == ["03", "04", "05"]


def test_who_waited_for_users_is_not_said_to_have_waited_for_anything_else(virtual: Any) -> None:
    """Neither for newer answers, nor for the next run, which is always due at some moment."""
    daemon = Daemon(virtual, max_wait_s=100)
    daemon.users = Finding("it does not say", unknown=True)
    daemon.free_s = lambda: 5.0 if virtual.loop.time() > 90 else math.inf

    async def script() -> None:
        for number in range(1, 5):
            daemon.transcriber.offer(spoken(number))
            await asyncio.sleep(5)

    daemon.run(virtual, script, 200)
    assert [(run, what) for run, _, what in daemon.kept] == [(f"0{n}", "unknown_users") for n in range(1, 5)]


def test_little_audio_waits(virtual: Any) -> None:
    daemon = Daemon(virtual)
    for number in (1, 2, 3):
        daemon.transcriber.offer(spoken(number, pcm=bytes(2 * 22_000 * 59)))
    kept_bytes = [each.bytes for each in daemon.transcriber._waiting]
    assert sum(kept_bytes) <= transcriber.MOST_BYTES and len(kept_bytes) == 3
    large = spoken(4, pcm=bytes(2 * 22_000 * 61))
    daemon.transcriber.offer(large)
    daemon.run(virtual, nothing, 60)
    assert ("04", 0.0, "too_long") in [(run, 0.0, what) for run, _, what in daemon.kept]


def test_a_reload_that_ends_it_forgets_what_waits(virtual: Any) -> None:
    daemon = Daemon(virtual)
    daemon.transcriber.offer(spoken(1))
    daemon.transcriber.config = Config()
    daemon.run(virtual, nothing, 10)
    assert not daemon.began and not daemon.kept


def test_where_runs_never_pause_it_is_said_nevertheless_what_was_given_up(virtual: Any) -> None:
    daemon = Daemon(virtual)

    async def script() -> None:
        async with daemon.transcriber.aside():
            for number in range(1, 41):
                daemon.transcriber.offer(spoken(number))
                await asyncio.sleep(10)

    daemon.run(virtual, script, 399)
    assert not daemon.began
    given_up = [run for run, _, what in daemon.kept if what == "full"]
    assert len(given_up) >= 40 - MOST_WAITING - transcriber._ENOUGH_UNKEPT
    assert given_up == sorted(set(given_up))


@pytest.mark.parametrize("where", ["_users", "_transcribe"])
def test_a_mistake_with_one_answer_ends_none_after_it(virtual: Any, where: str) -> None:
    daemon = Daemon(virtual)
    right = getattr(daemon.transcriber, where)

    async def wrong_once(*_of: Any) -> Any:
        setattr(daemon.transcriber, where, right)
        raise RuntimeError("what was said")

    setattr(daemon.transcriber, where, wrong_once)
    daemon.transcriber.offer(spoken(1))
    daemon.transcriber.offer(spoken(2))
    daemon.run(virtual, nothing, 20)
    assert [(run, what) for run, _, what in daemon.kept] == [("01", "error"), ("02", "transcribed")]
