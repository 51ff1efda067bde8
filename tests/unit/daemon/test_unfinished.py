"""What runs may have left on servers: noted before them, and released at the next start or before the next run."""

import asyncio
import io
import json
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from runs import plan
from targets import with_server

from probe.daemon import unfinished
from probe.daemon.log import make_logger
from probe.daemon.unfinished import Unfinished, opened
from probe.daemon.unfinished_notes import FILE_NAME, MOST_NOTES, Note, address, read
from probe.history import private
from probe.plan import Plan, Target
from probe.progress import Event
from probe.protocols.inquiries import Exchange
from probe.transport.framing.base import Text

RUN = plan(1, "spark")
SPARK = RUN.target
# Of a protocol whose servers notice that a client is gone.
CHATTING = replace(SPARK, servers={**SPARK.servers, "llm": replace(SPARK.servers["llm"], protocol="openai_chat")})
ENDED = "ended a stream that a killed run had left"


class Disk:
    """Has what was written last; it may hang, and refuse."""

    def __init__(self) -> None:
        self.notes: Sequence[Note] = ()
        self.writes = 0
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.error: OSError | None = None

    def keep(self, notes: Sequence[Note]) -> None:
        self.goes_on.wait(60)
        if self.error is not None:
            raise self.error
        self.notes, self.writes = notes, self.writes + 1


class Server:
    """Answers by the stream that it is to end; one that is None does not answer."""

    def __init__(self, **streams: bool | None) -> None:
        self.streams = streams
        self.asked: list[str] = []
        self.waits_for: asyncio.Event | None = None

    async def ask(self, exchange: Exchange[bool]) -> bool | None:
        assert isinstance(exchange.frame, Text)
        stream = json.loads(exchange.frame.data)["stream_id"].removeprefix("probe-").replace("-", "_")
        self.asked.append(stream)
        if self.waits_for is not None:
            await self.waits_for.wait()
        return self.streams.get(stream, False)


class Broken(Server):
    async def ask(self, exchange: Exchange[bool]) -> bool | None:
        del exchange
        raise ZeroDivisionError


class Daemon:
    def __init__(self, server: Server, *left: Note, now: Callable[[], float] = lambda: 0.0) -> None:
        self.disk, self.log = Disk(), io.StringIO()
        self.unfinished = Unfinished(self.disk.keep, make_logger(self.log, "json"), left, server.ask, now)

    async def written(self) -> Sequence[Note]:
        await self.unfinished.settled(60)
        return self.disk.notes

    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.log.getvalue().splitlines()]


def note(run_id: str, turns: int = 1, target: Target = SPARK, **values: Any) -> Note:
    return Note(run_id, turns, target.name, address("llm", target.servers["llm"]), **values)


async def until(check: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not check():  # noqa: ASYNC110 - what changes it is a thread
            await asyncio.sleep(0)


def with_turns(count: int) -> Plan:
    return replace(RUN, scenario=replace(RUN.scenario, user_turns=("Hello?",) * count))


async def test_a_run_is_noted_before_it_begins_and_until_it_has_ended() -> None:
    daemon = Daemon(Server())
    async with daemon.unfinished.noted(with_turns(3)):
        (found,) = daemon.disk.notes
        assert found == note(RUN.run_id, 3)
    assert await daemon.written() == []
    assert daemon.events() == []


async def test_a_run_whose_servers_leave_nothing_costs_nothing() -> None:
    daemon = Daemon(Server())
    async with daemon.unfinished.noted(replace(RUN, target=CHATTING)) as observe:
        observe(Event(0, "unreleased", 1))
    assert daemon.unfinished._writing is None


async def test_a_run_that_could_not_release_its_stream_leaves_it_to_the_next() -> None:
    server = Server(**{f"{RUN.run_id}_1".replace("-", "_"): True})
    daemon = Daemon(server)
    async with daemon.unfinished.noted(RUN) as observe:
        observe(Event(0, "llm_token", 1))
        observe(Event(0, "unreleased", 1))
    assert await daemon.written() == [note(RUN.run_id, ended=True)]
    await daemon.unfinished.end(SPARK)
    assert daemon.events() == ["ended a stream that its own run could not end"]
    assert await daemon.written() == []


@pytest.mark.parametrize("end", [asyncio.CancelledError, RuntimeError])
async def test_a_run_that_was_cut_short_leaves_its_note(end: type[BaseException]) -> None:
    daemon = Daemon(Server())
    with pytest.raises(end):
        async with daemon.unfinished.noted(RUN):
            raise end
    assert await daemon.written() == [note(RUN.run_id)]


async def test_only_what_was_left_is_ended_and_no_run_in_progress() -> None:
    server = Server(old_1=True)
    daemon = Daemon(server, note("old"))
    async with daemon.unfinished.noted(RUN):
        await daemon.unfinished.end(SPARK)
        assert server.asked == ["old_1"]
        assert await daemon.written() == [note(RUN.run_id)]
    assert daemon.events() == [ENDED]


async def test_every_turn_is_ended_and_one_line_says_so() -> None:
    server = Server(old_2=True)
    daemon = Daemon(server, note("old", 3))
    await daemon.unfinished.end(SPARK)
    assert server.asked == ["old_3", "old_2", "old_1"]
    assert daemon.events() == [ENDED]
    assert await daemon.written() == []


async def test_a_server_that_knows_no_such_stream_has_answered() -> None:
    daemon = Daemon(Server(), note("old"))
    await daemon.unfinished.end(SPARK)
    assert daemon.events() == ["an earlier run has left no stream"]
    assert await daemon.written() == []


async def test_a_server_that_does_not_answer_is_asked_again_from_where_it_stopped_and_is_logged_once() -> None:
    server = Server(old_2=None)
    daemon = Daemon(server, note("old", 3))
    for _ in range(3):
        await daemon.unfinished.end(SPARK)
    assert server.asked == ["old_3", "old_2", "old_2", "old_2"]
    server.streams["old_2"] = True
    await daemon.unfinished.end(SPARK)
    assert daemon.events() == [
        "a server does not answer; a stream that a run left there may still hold its slot",
        ENDED,
    ]
    await daemon.unfinished.end(SPARK)
    assert len(server.asked) == 6


async def test_a_server_that_hangs_is_waited_for_until_a_deadline_by_all_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(unfinished, "END_S", 0.01)
    server = Server()
    server.waits_for = asyncio.Event()
    daemon = Daemon(server, note("old"), note("older"))
    async with asyncio.timeout(60):
        await asyncio.gather(*(daemon.unfinished.end(replace(SPARK, name=f"{n}")) for n in range(20)))
    assert server.asked == ["old_1"]


async def test_who_is_cancelled_while_waiting_leaves_it_to_the_others() -> None:
    server = Server(old_1=True)
    server.waits_for = asyncio.Event()
    daemon = Daemon(server, note("old"))
    first, second = (asyncio.ensure_future(daemon.unfinished.end(SPARK)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    server.waits_for.set()
    await second
    assert daemon.events() == [ENDED]


async def test_nothing_is_sent_to_another_server_than_the_one_that_has_it() -> None:
    server = Server(old_1=True)
    daemon = Daemon(server, note("old"))
    for other in (with_server(SPARK, "llm", url="ws://other:8002/ws"), CHATTING):
        await daemon.unfinished.end(other)
    assert server.asked == []
    # Another target, on the same server: its runs wait for that slot, too.
    await daemon.unfinished.end(replace(SPARK, name="renamed"))
    assert server.asked == ["old_1"]


async def test_a_mistake_of_ours_keeps_no_run_from_taking_place() -> None:
    daemon = Daemon(Broken(), note("old"))
    await daemon.unfinished.end(SPARK)
    assert daemon.events() == ["what a run left was not released because of a bug in the probe"]


async def test_a_disk_that_hangs_holds_up_one_run_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unfinished, "NOTE_S", 0.01)
    daemon = Daemon(Server())
    daemon.disk.goes_on.clear()
    async with asyncio.timeout(60):
        async with daemon.unfinished.noted(RUN):
            pass
        monkeypatch.setattr(unfinished, "NOTE_S", math.inf)
        for number in range(2, 50):
            async with daemon.unfinished.noted(plan(number, "spark")):
                pass
    assert daemon.events() == ["what a killed run leaves can't be noted: the disk does not answer"]
    daemon.disk.goes_on.set()
    assert await daemon.written() == []
    assert daemon.disk.writes == 2


async def test_a_disk_that_refuses_is_logged_once_until_it_takes_notes_again() -> None:
    daemon = Daemon(Server())
    for error in (OSError(28, "No space left on device"), OSError(28, "No space left on device"), None, OSError("x")):
        daemon.disk.error = error
        async with daemon.unfinished.noted(RUN):
            pass
        await daemon.written()
    assert daemon.events() == ["what a killed run leaves can't be noted"] * 2


async def test_what_waits_for_a_day_is_forgotten_whatever_the_wall_clock_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is not configured any more. The age goes on where the daemon before has left it."""
    monkeypatch.setattr(unfinished, "RETRY_S", 0)
    monkeypatch.setattr("time.time", lambda: math.inf)
    monkeypatch.setattr("time.time_ns", lambda: 2**62)
    seconds = 0.0
    daemon = Daemon(Server(), note("old", waited_s=86_000), note("new"), now=lambda: seconds)
    working = asyncio.ensure_future(daemon.unfinished.work(lambda: (), lambda: math.inf))
    try:
        seconds = 399.0
        await until(lambda: sorted(each.waited_s for each in daemon.disk.notes) == [399.0, 86_399.0])
        assert daemon.events() == []
        seconds = 401.0
        await until(lambda: [each.run_id for each in daemon.disk.notes] == ["new"])
    finally:
        working.cancel()
    (event,) = daemon.events()
    assert event.startswith("a stream that a run left could not be ended for a day")


async def test_what_remains_is_tried_again_where_no_run_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unfinished, "RETRY_S", 0)
    server, free_s = Server(old_1=None), 1.0
    daemon = Daemon(server, note("old"))
    working = asyncio.ensure_future(daemon.unfinished.work(lambda: [SPARK], lambda: free_s))
    try:
        await until(lambda: server.asked)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(server.asked) == 1
        free_s, server.streams = 60.0, {"old_1": True}
        await until(lambda: ENDED in daemon.events())
    finally:
        working.cancel()


async def test_what_is_left_is_bounded() -> None:
    daemon = Daemon(Server())
    for number in range(MOST_NOTES + 10):
        async with daemon.unfinished.noted(plan(number, "spark")) as observe:
            observe(Event(0, "unreleased", 1))
    assert len(await daemon.written()) == MOST_NOTES
    assert len(daemon.unfinished._left) == MOST_NOTES


async def test_a_file_is_opened_and_one_that_can_not_be_read_is_a_line_in_the_log(tmp_path: Path) -> None:
    log = io.StringIO()
    async with opened(tmp_path, private.replace, make_logger(log, "json")).noted(RUN):
        assert read(tmp_path / FILE_NAME) == (note(RUN.run_id),)
        assert [*opened(tmp_path, private.replace, make_logger(log, "json"))._left] == [note(RUN.run_id)]
    assert log.getvalue() == ""
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / FILE_NAME).write_text("{")
    (tmp_path / "folder" / FILE_NAME).mkdir(parents=True)
    for state_dir in (tmp_path / "damaged", tmp_path / "folder"):
        assert not opened(state_dir, private.replace, make_logger(log, "json"))._left
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(line["level"], line["error"]) for line in lines] == [
        ("warning", "not as it was written, or of another version"),
        ("warning", "Is a directory"),
    ]
