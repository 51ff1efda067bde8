"""The history first, and no sink in another's way. Real threads, no sleeping: the test lets go whoever waits."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from runs import record

from probe.daemon import dispatch, keeper, sink_lock
from probe.daemon.dispatch import Dispatch, Sink
from probe.daemon.keeper import Saver
from probe.history.file import HistoryError
from probe.history.reader import reading
from probe.history.writer import History
from probe.record import RunRecord
from probe.transcription import Transcription

PATIENCE_S = 60
UNDERSTOOD = Transcription(1, 2, "wyoming", "tcp://localhost:10300")


class Collecting:
    """A sink that keeps what it gets."""

    def __init__(self, name: str = "collecting") -> None:
        self.name = name
        self.got: list[RunRecord] = []
        self.closed: list[float] = []
        self.changed = threading.Condition()

    def write(self, record: RunRecord) -> None:
        with self.changed:
            self.got.append(record)
            self.changed.notify_all()

    def close(self, timeout_s: float) -> None:
        self.closed.append(timeout_s)

    async def has(self, count: int) -> bool:
        def wait() -> bool:
            with self.changed:
                return self.changed.wait_for(lambda: len(self.got) >= count, PATIENCE_S)

        return await asyncio.to_thread(wait)


class Blocking(Collecting):
    """A sink that takes nothing until it is let go."""

    def __init__(self, name: str = "blocking") -> None:
        super().__init__(name)
        self.let_go = threading.Event()
        self.entered = threading.Event()

    def write(self, record: RunRecord) -> None:
        self.entered.set()
        self.let_go.wait(PATIENCE_S)
        super().write(record)


class Raising(Collecting):
    def write(self, record: RunRecord) -> None:
        super().write(record)
        raise OSError("no")


class Memory:
    """A history without a disk; `refuse` is called before each append."""

    def __init__(self, refuse: Callable[[], object] = lambda: None) -> None:
        self.kept: list[RunRecord] = []
        self.refuse = refuse
        self.pruned: list[int] = []
        self.closed = False
        self.looked = threading.Event()
        self.changed = threading.Condition()

    def append(self, record: RunRecord) -> None:
        self.refuse()
        with self.changed:
            self.kept.append(record)
            self.changed.notify_all()

    def prune(self, now: int) -> None:
        self.pruned.append(now)

    def has(self, count: int) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: len(self.kept) >= count, PATIENCE_S)

    def look(self) -> None:
        self.looked.set()

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sink that blocks has its turn all the while, and each other waits for it with each of its runs."""
    monkeypatch.setattr(sink_lock, "_TURN_S", 0.001)


def composed(history: Saver, *sinks: Sink, queue_size: int = 1000) -> tuple[Dispatch, list[tuple[str, str]]]:
    errors: list[tuple[str, str]] = []
    return Dispatch(history, sinks, on_error=lambda *each: errors.append(each), queue_size=queue_size), errors


async def test_a_run_is_on_disk_when_submit_returns_and_before_any_other_sink_has_it(tmp_path: Path) -> None:
    seen: list[list[RunRecord]] = []

    class Looking(Collecting):
        def write(self, record: RunRecord) -> None:
            with reading(tmp_path) as reader:
                seen.append(list(reader.runs()))
            super().write(record)

    sink = Looking()
    dispatched, errors = composed(History(tmp_path), sink)
    await dispatched.submit(record(1))
    with reading(tmp_path) as reader:
        assert list(reader.runs()) == [record(1)]
    await dispatched.drain(PATIENCE_S)
    assert seen == [[record(1)]]
    assert sink.closed and 0 < sink.closed[0] <= PATIENCE_S
    assert errors == []


async def test_a_sink_that_blocks_delays_nobody() -> None:
    blocking, other = Blocking(), Collecting()
    dispatched, errors = composed(Memory(), blocking, other)
    for number in range(20):
        await asyncio.wait_for(dispatched.submit(record(number)), PATIENCE_S)
    assert await other.has(20)
    assert await asyncio.to_thread(blocking.entered.wait, PATIENCE_S)
    assert blocking.got == []
    blocking.let_go.set()
    await dispatched.drain(PATIENCE_S)
    assert blocking.got == other.got == [record(number) for number in range(20)]
    assert errors == []


async def test_a_full_queue_drops_the_run_and_says_so() -> None:
    blocking, other = Blocking(), Collecting()
    dispatched, errors = composed(Memory(), blocking, other, queue_size=2)
    await dispatched.submit(record(0))
    assert await asyncio.to_thread(blocking.entered.wait, PATIENCE_S)
    for number in range(1, 6):
        await dispatched.submit(record(number))
        assert await other.has(number + 1)
    blocking.let_go.set()
    await dispatched.drain(PATIENCE_S)
    assert blocking.got == [record(number) for number in range(3)]
    assert errors == [("blocking", "dropped a run: 2 are waiting already")] * 3


async def test_a_sink_that_raises_is_reported_and_goes_on() -> None:
    raising, other = Raising("raising"), Collecting()
    dispatched, errors = composed(Memory(), raising, other)
    await dispatched.submit(record(1))
    await dispatched.submit(record(2))
    await dispatched.drain(PATIENCE_S)
    assert raising.got == other.got == [record(1), record(2)]
    assert errors == [("raising", "OSError: no")] * 2


async def test_a_history_that_refuses_is_reported_and_gets_the_runs_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without another run, too."""
    monkeypatch.setattr(keeper, "RETRY_S", 0.0)
    problems = [HistoryError("disk full"), HistoryError("disk full")]

    def refuse() -> None:
        if problems:
            raise problems.pop()

    memory, other = Memory(refuse), Collecting()
    dispatched, errors = composed(memory, other)
    await dispatched.submit(record(1))
    await dispatched.submit(record(2))
    assert await other.has(2)
    assert await asyncio.to_thread(memory.has, 2)
    await dispatched.submit(record(3))
    await dispatched.drain(PATIENCE_S)
    assert memory.kept == other.got == [record(1), record(2), record(3)]
    assert errors == [("history", "HistoryError: disk full")] * 2
    assert memory.closed


async def test_a_run_that_waits_for_the_disk_is_kept_with_what_was_understood_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeper, "RETRY_S", PATIENCE_S)
    refused = [HistoryError("disk full")]

    def refuse() -> None:
        if refused:
            raise refused.pop()

    memory = Memory(refuse)
    dispatched, _ = composed(memory)
    await dispatched.submit(record(1))
    await dispatched.submit(record(2))
    assert not dispatched.add_transcription("no such run", UNDERSTOOD)
    for number in (1, 2):
        assert dispatched.add_transcription(record(number).plan.run_id, UNDERSTOOD)
    await dispatched.drain(PATIENCE_S)
    assert memory.kept == [replace(record(number), transcription=UNDERSTOOD) for number in (1, 2)]
    assert not dispatched.add_transcription(record(1).plan.run_id, UNDERSTOOD), "it is kept, and this is the history's"


async def test_a_run_that_is_being_written_is_not_changed() -> None:
    writing, let_go = threading.Event(), threading.Event()

    def refuse() -> None:
        writing.set()
        let_go.wait(PATIENCE_S)

    memory = Memory(refuse)
    dispatched, _ = composed(memory)
    submitted = asyncio.ensure_future(dispatched.submit(record(1)))
    await asyncio.to_thread(writing.wait, PATIENCE_S)
    changed = dispatched.add_transcription(record(1).plan.run_id, UNDERSTOOD)
    let_go.set()
    await submitted
    await dispatched.drain(PATIENCE_S)
    assert (changed, memory.kept) == (False, [record(1)])


async def test_nobody_waits_for_a_history_in_trouble_and_what_waits_for_it_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeper, "RETRY_S", PATIENCE_S)
    monkeypatch.setattr(keeper, "MOST_WAITING", 3)
    attempts: list[None] = []

    def refuse() -> None:
        attempts.append(None)
        raise HistoryError("locked")

    memory, other = Memory(refuse), Collecting()
    dispatched, errors = composed(memory, other)
    for number in range(6):
        await dispatched.submit(record(number))
        assert await other.has(number + 1)
    assert len(attempts) == 1
    assert errors == [
        ("history", "HistoryError: locked"),
        *(("history", f"run {record(n).plan.run_id} is lost: 3 wait in memory already") for n in (1, 2, 3)),
    ]
    memory.refuse = lambda: None
    await dispatched.drain(PATIENCE_S)
    assert memory.kept == [record(0), record(4), record(5)]


async def test_a_burst_of_runs_is_kept_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "MOST_WAITING", 3)
    lets_go = threading.Event()
    memory = Memory(lambda: lets_go.wait(PATIENCE_S))
    dispatched, errors = composed(memory, queue_size=2)
    submitted = asyncio.gather(*(dispatched.submit(record(number)) for number in range(300)))
    await asyncio.sleep(0)
    lets_go.set()
    await submitted
    assert memory.kept == [record(number) for number in range(300)]
    assert errors == []
    await dispatched.drain(PATIENCE_S)


async def test_what_can_not_be_kept_until_the_end_is_counted() -> None:
    def refuse() -> None:
        raise HistoryError("disk full")

    dispatched, errors = composed(Memory(refuse))
    await dispatched.submit(record(1))
    await dispatched.submit(record(2))
    await dispatched.drain(PATIENCE_S)
    assert errors[-1] == ("history", "2 runs are lost: the history could not be written until the end")


async def test_the_historys_files_are_looked_at_between_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "LOOK_S", 0.0)
    memory = Memory()
    dispatched, _ = composed(memory)
    assert await asyncio.to_thread(memory.looked.wait, PATIENCE_S)
    # Otherwise its thread would turn until the end of all tests.
    await dispatched.drain(PATIENCE_S)


async def test_what_the_history_refused_gets_a_last_chance_at_shutdown() -> None:
    problems = [HistoryError("locked")]

    def refuse() -> None:
        if problems:
            raise problems.pop()

    memory = Memory(refuse)
    dispatched, _ = composed(memory)
    await dispatched.submit(record(1))
    await dispatched.drain(PATIENCE_S)
    assert memory.kept == [record(1)]


async def test_a_run_that_cannot_be_kept_does_not_hold_up_those_after_it() -> None:
    problems = [ValueError("not a record")]

    def refuse() -> None:
        if problems:
            raise problems.pop()

    memory, other = Memory(refuse), Collecting()
    dispatched, errors = composed(memory, other)
    await dispatched.submit(record(1))
    await dispatched.submit(record(2))
    await dispatched.drain(PATIENCE_S)
    assert memory.kept == [record(2)]
    assert other.got == [record(1), record(2)]
    assert errors == [("history", f"run {record(1).plan.run_id} is lost: ValueError: not a record")]


async def test_a_disk_that_hangs_stops_neither_the_runs_nor_the_other_sinks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "HISTORY_PATIENCE_S", 0.01)
    hangs = threading.Event()
    memory, other = Memory(lambda: hangs.wait(PATIENCE_S)), Collecting()
    dispatched, errors = composed(memory, other)
    await asyncio.wait_for(dispatched.submit(record(1)), PATIENCE_S)
    assert await other.has(1)
    assert errors == [("history", f"run {record(1).plan.run_id} not written within 0.01 s; it waits in memory")]
    hangs.set()
    await dispatched.drain(PATIENCE_S)
    assert memory.kept == other.got == [record(1)]


async def test_a_run_whose_submitter_was_cancelled_arrives_all_the_same() -> None:
    lets_go = threading.Event()
    memory, other = Memory(lambda: lets_go.wait(PATIENCE_S)), Collecting()
    dispatched, _ = composed(memory, other)
    submitting = asyncio.ensure_future(dispatched.submit(record(1)))
    await asyncio.sleep(0)
    submitting.cancel()
    await asyncio.wait([submitting])
    lets_go.set()
    assert await other.has(1)
    await dispatched.drain(PATIENCE_S)
    assert memory.kept == other.got == [record(1)]


async def test_what_waits_for_a_slow_history_is_kept_at_the_end_where_there_is_time() -> None:
    """A disk that was locked has just been released: each run takes it a while."""
    lets_go, slowly = threading.Event(), threading.Event()
    memory = Memory(lambda: lets_go.wait(PATIENCE_S) and slowly.wait(0.01))
    dispatched, errors = composed(memory)
    submitting = [asyncio.ensure_future(dispatched.submit(record(number))) for number in range(1, 11)]
    await asyncio.sleep(0)
    lets_go.set()
    await dispatched.drain(0.02, history_s=PATIENCE_S)
    await asyncio.gather(*submitting)
    assert len(memory.kept) == 10
    assert errors == []


async def test_shutdown_is_bounded_whoever_blocks() -> None:
    blocking, other = Blocking(), Collecting()
    memory = Memory()
    dispatched, errors = composed(memory, blocking, other)
    await dispatched.submit(record(1))
    assert await asyncio.to_thread(blocking.entered.wait, PATIENCE_S)
    await asyncio.wait_for(dispatched.drain(1.0), PATIENCE_S)
    assert errors == [("blocking", "it did not end in time: 1 run not processed")]
    assert other.closed and memory.closed
    blocking.let_go.set()


async def test_what_a_sink_that_blocks_leaves_undone_is_counted() -> None:
    blocking = Blocking()
    dispatched, errors = composed(Memory(), blocking)
    for number in (1, 2, 3):
        await dispatched.submit(record(number))
    assert await asyncio.to_thread(blocking.entered.wait, PATIENCE_S)
    await asyncio.wait_for(dispatched.drain(0.1), PATIENCE_S)
    assert errors == [("blocking", "it did not end in time: 3 runs not processed")]
    blocking.let_go.set()


async def test_a_sink_that_cannot_be_closed_has_lost_no_run() -> None:
    """As where a collector takes a request and never answers."""
    lets_go, closing = threading.Event(), threading.Event()

    class Hanging(Collecting):
        def close(self, timeout_s: float) -> None:
            closing.set()
            lets_go.wait(PATIENCE_S)
            super().close(timeout_s)

    hanging = Hanging()
    dispatched, errors = composed(Memory(), hanging)
    await dispatched.submit(record(1))
    assert await hanging.has(1)
    draining = asyncio.ensure_future(dispatched.drain(2.0))
    assert await asyncio.to_thread(closing.wait, PATIENCE_S)
    await draining
    assert errors == [(hanging.name, "it did not end in time: all runs are processed")]
    lets_go.set()


async def test_the_history_is_pruned_after_each_run() -> None:
    memory = Memory()
    dispatched, _ = composed(memory)
    await dispatched.submit(record(1))
    await dispatched.drain(PATIENCE_S)
    assert memory.pruned == [record(1).ended]


def test_sinks_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them at once would take the interpreter from the event loop one after the other."""
    monkeypatch.setattr(sink_lock, "_TURN_S", PATIENCE_S)
    entered = threading.Event()

    def work() -> None:
        with sink_lock.one_at_a_time():
            entered.set()

    thread = threading.Thread(target=work)
    with sink_lock.one_at_a_time():
        thread.start()
        assert not entered.wait(0.05)
    assert entered.wait(PATIENCE_S)
    thread.join(PATIENCE_S)


def test_a_sink_that_hangs_is_not_waited_for() -> None:
    with sink_lock.one_at_a_time(), sink_lock.one_at_a_time():
        pass
    assert not sink_lock._AT_WORK.locked()
