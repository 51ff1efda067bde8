"""The live timeline is printed from a thread, in order, and never holds up or breaks a run."""

import threading
from collections.abc import Iterator

import pytest

from probe.progress import Event, EventKind
from probe.report import timeline_printer
from probe.report.timeline_printer import Live


def event(number: int, kind: EventKind = "warning") -> Event:
    return Event(number, kind, 1, text=str(number))


def render(shown: Event) -> Iterator[str]:
    yield shown.text
    yield f"{shown.text} again"


def test_every_line_of_every_event_is_printed_in_order_before_the_context_ends() -> None:
    printed: list[str] = []
    with Live(render, printed.append) as timeline:
        for number in range(100):
            timeline.observe(event(number))
    assert printed == [line for number in range(100) for line in (str(number), f"{number} again")]


def test_unseen_kinds_are_dropped() -> None:
    printed: list[str] = []
    with Live(render, printed.append, frozenset({"tts_audio"})) as timeline:
        timeline.observe(event(1, "tts_audio"))
        timeline.observe(event(2))
    assert printed == ["2", "2 again"]


def test_a_reader_that_has_gone_ends_the_printing_and_not_the_run() -> None:
    def broken(line: str) -> None:
        printed.append(line)
        raise BrokenPipeError

    printed: list[str] = []
    with Live(render, broken) as timeline:
        timeline.observe(event(1))
        timeline.observe(event(2))
    assert printed == ["1"]


def test_a_terminal_that_blocks_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline_printer, "_DRAIN_TIMEOUT_S", 0.01)
    released = threading.Event()

    def blocked(_line: str) -> None:
        released.wait(30)

    with Live(render, blocked) as timeline:
        timeline.observe(event(1))
    assert not released.is_set()
    released.set()


def test_what_ends_the_run_goes_through() -> None:
    def interrupted() -> None:
        with Live(render, printed.append) as timeline:
            timeline.observe(event(1))
            raise KeyboardInterrupt

    printed: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert printed == ["1", "1 again"]


class Board:
    """A status that says what is done with it; `renewed` is set with the second look."""

    def __init__(self, written: list[str]) -> None:
        self.written, self.noted, self.renewed = written, list[Event](), threading.Event()

    def note(self, event: Event) -> None:
        self.noted.append(event)

    def show(self) -> None:
        self.written.append("status")
        if self.written.count("status") > 1:
            self.renewed.set()

    def clear(self) -> None:
        self.written.append("clear")


def test_a_status_is_renewed_while_nothing_happens_and_gives_way_to_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline_printer, "TICK_S", 0.001)
    printed: list[str] = []
    board = Board(printed)
    with Live(render, printed.append, frozenset({"tts_audio"}), board) as timeline:
        assert board.renewed.wait(30)
        timeline.observe(event(1, "tts_audio"))
        timeline.observe(event(2))
    shown = [line for line in printed if line != "status"]
    assert shown == ["clear", "2", "2 again", "clear"]
    assert printed[printed.index("2") - 1] == "clear"
    assert [each.at for each in board.noted] == [1, 2], "also what no line is printed of"


def test_a_run_that_is_given_up_has_no_status_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline_printer, "TICK_S", 0.001)
    printed: list[str] = []
    board = Board(printed)
    with Live(render, printed.append, status=board) as timeline:
        assert board.renewed.wait(30)
        timeline.end_status()
        timeline.observe(event(1))
    assert (board.noted, printed[-2:]) == ([], ["1", "1 again"])
    timeline.end_status()
    assert printed[-1] == "1 again", "there is none to clear"
