"""The means of the whole waits, of an hour and of a week, from a history."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from runs import MS, START, failed, hearing, record

from probe.history.reader import reading
from probe.history.recent import recent
from probe.history.whole_waits import WholeWaits, _sampled
from probe.history.writer import History
from probe.record import RunRecord
from probe.timestamps import NS_PER_DAY, NS_PER_S

HOUR = 3600 * NS_PER_S
NOW = START + 9 * NS_PER_DAY


def waiting(number: int, ago_ns: int, ms: int) -> RunRecord:
    """A run that started so long ago, with a whole wait of so many milliseconds: 1200 of it are those of `hearing`."""
    later = 1200 * MS - ms * MS
    whole = hearing(number)
    (turn,) = whole.turns
    assert turn.heard is not None and turn.heard.speech_end is not None and turn.heard.speech_stopped is not None
    heard = replace(
        turn.heard, speech_end=turn.heard.speech_end + later, speech_stopped=turn.heard.speech_stopped + later
    )
    moved = replace(whole.plan, target=replace(whole.plan.target, name="hears"))
    return replace(whole, plan=moved, started=NOW - ago_ns, turns=(replace(turn, heard=heard),))


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every hour of eight days, then every ten minutes; each second run is of a target that does not hear."""
    folder = tmp_path_factory.mktemp("state")
    with closing(History(folder)) as written:
        number = 0
        for hours in range(8 * 24 - 1, 1, -1):
            written.append(waiting(number, hours * HOUR - HOUR // 2, 1000 if hours > 24 else 5000))
            written.append(record(number + 1, started=NOW - hours * HOUR))
            number += 2
        for minutes in range(50, 0, -10):
            written.append(waiting(number, minutes * 60 * NS_PER_S, 1300))
            number += 1
        written.append(failed(number, target="hears", started=NOW - 30 * NS_PER_S))
        written.append(waiting(number + 1, 20 * NS_PER_S, 1300))
    return folder


def ticking() -> Iterator[float]:
    now = 0.0
    while True:
        yield now
        now += 0.1


def test_an_hour_and_the_week_that_ended_a_day_ago(history: Path) -> None:
    with reading(history) as reader:
        series, waits = recent(reader, NOW), WholeWaits()
        assert waits.refresh(reader, series, NOW, 60.0)
    assert [*waits.known] == [("hears", "default")]
    found = waits.known["hears", "default"]
    assert found.hour_ms == pytest.approx(1300)
    assert found.week_ms == pytest.approx(1000)
    assert found.endpointing_ms == pytest.approx(500)
    assert found.transcription_ms is not None


def test_it_is_read_a_part_at_a_time_and_each_run_once(history: Path) -> None:
    with reading(history) as reader:
        series, clock = recent(reader, NOW), ticking()
        waits = WholeWaits(lambda: next(clock))
        looks = 1
        while not waits.refresh(reader, series, NOW, 2.0):
            assert waits.known == {}, "half of a week is none"
            looks += 1
        assert looks > 3
        before = next(clock)
        assert waits.refresh(reader, series, NOW, 2.0)
        assert next(clock) - before < 0.5, "nothing is read again"


def test_too_few_turns_have_no_mean(tmp_path: Path) -> None:
    with closing(History(tmp_path)) as written:
        for number in range(4):
            written.append(waiting(number, (number + 1) * 60 * NS_PER_S, 1300))
    with reading(tmp_path) as reader:
        waits = WholeWaits()
        waits.refresh(reader, recent(reader, NOW), NOW, 60.0)
    assert waits.known["hears", "default"].hour_ms is None
    assert waits.known["hears", "default"].week_ms is None


@pytest.mark.parametrize("step", [1, 2, 4, 64])
def test_a_sample_of_a_week_is_no_larger_than_it_has_to_be(step: int) -> None:
    """Whatever the numbers of a series have in common, and the same while the week moves on."""
    numbers = [*range(5, 5 + 10_000 * step, step)]
    found = _sampled(numbers)
    assert 50 <= len(found) <= 400
    moved = _sampled(numbers[100:])
    assert set(moved) == {each for each in found if each in set(numbers[100:])}
    assert _sampled(numbers[:150]) == numbers[:150]
