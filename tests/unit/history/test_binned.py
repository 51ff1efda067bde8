"""A series in bins: the ends are those of all runs, the medians of a part of very many."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from many_runs import fill
from runs import START, failed, record, suspect

from probe.history import binned as module
from probe.history.binned import binned, span
from probe.history.reader import HistoryReader, reading
from probe.history.writer import History

S = 10**9
HOUR = 3600 * S
SERIES = "local", "default"


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[HistoryReader]:
    made = [record(n, started=START + n * 60 * S, ttfb_ms=100 * n) for n in range(1, 6)]
    made += [
        failed(6, started=START + 70 * 60 * S), replace(suspect(7), started=START + 71 * 60 * S),
        replace(record(8, started=START + 72 * 60 * S, ttfb_ms=9000), cold=True),
        record(9, started=START + 200 * 60 * S, ttfb_ms=900), record(10, started=START, target="other"),
    ]  # fmt: skip
    with closing(History(tmp_path)) as history:
        for each in made:
            history.append(each)
    with reading(tmp_path) as found:
        yield found


def test_bins_of_an_hour(reader: HistoryReader) -> None:
    """A failed, a suspect and a cold run have no latency; an hour without runs is not there."""
    assert span(reader, *SERIES) == (START + 60 * S, START + 200 * 60 * S)
    first, second, fourth = binned(reader, SERIES, START, START + 4 * HOUR, 4)
    assert (first.number, first.runs, first.failed, first.stages[0]) == (0, 5, 0, (100.0, 300.0, 500.0))
    assert (second.number, second.runs, second.failed, second.stages) == (1, 3, 1, [None] * 4)
    assert (fourth.number, fourth.stages[0], fourth.stages[1]) == (3, (900.0, 900.0, 900.0), (50.0, 50.0, 50.0))


def test_what_does_not_exist(reader: HistoryReader) -> None:
    assert span(reader, "nobody", "default") is None
    assert binned(reader, SERIES, START + 300 * HOUR, START + 301 * HOUR, 10) == []


def test_very_many_runs_are_sampled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, runs=3000, targets=["a"], until=START)
    monkeypatch.setattr(module, "MOST_RUNS", 300)
    with reading(tmp_path) as reader:
        few = binned(reader, ("a", "default"), START - 3000 * 60 * S, START + 1, 10)
        monkeypatch.setattr(module, "MOST_RUNS", 100_000)
        every = binned(reader, ("a", "default"), START - 3000 * 60 * S, START + 1, 10)
    assert [each.runs for each in few] == [each.runs for each in every] == [300] * 10
    for sampled, whole in zip(few, every, strict=True):
        (low, middle, high), (lowest, median, highest) = (
            each.stages[0] or (0.0, 0.0, 0.0) for each in (sampled, whole)
        )
        assert (low, high) == (lowest, highest)
        assert middle is not None and median is not None and abs(middle / median - 1) < 0.1
