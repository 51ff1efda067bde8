"""Threads beside the loop, parts of a file, parameters of an address, a picture of two samples."""

import asyncio
import threading

import pytest
from asgi import Answered, ask
from hypothesis import given
from hypothesis import strategies as st

from probe.timestamps import NS_PER_S
from probe.web import fields
from probe.web.distribution import distribution
from probe.web.page import BadQueryError
from probe.web.ranges import ranged
from probe.web.threads import Busy, Threads

BODY = bytes(range(200))
NOW = 1_800_000_000 * NS_PER_S


def test_work_returns_or_raises_where_it_is_awaited() -> None:
    async def working() -> int:
        threads = Threads()
        with pytest.raises(ZeroDivisionError):
            await threads.run(lambda: 1 // 0, 60)
        return await threads.run(lambda: 7, 60)

    assert asyncio.run(working()) == 7


def test_what_hangs_is_given_up_and_keeps_its_place() -> None:
    """A disk that hangs must not get more threads with each request."""
    over = threading.Event()
    begun: list[threading.Thread] = []

    def work() -> None:
        begun.append(threading.current_thread())
        over.wait()

    async def working() -> None:
        threads = Threads(1)
        for _ in range(2):
            with pytest.raises(Busy):
                await threads.run(work, 0.02)
        over.set()
        assert await threads.run(lambda: 7, 60) == 7

    asyncio.run(working())
    assert len(begun) == 1


def test_a_thread_that_outlives_the_loop_is_no_error() -> None:
    over, ended = threading.Event(), threading.Event()

    def work() -> None:
        over.wait()
        ended.set()

    async def leaving() -> None:
        with pytest.raises(Busy):
            await Threads(1).run(work, 0.01)

    asyncio.run(leaving())
    over.set()
    assert ended.wait(60)


def part(asked: str | None) -> Answered:
    return ask(ranged(BODY, "audio/wav", asked), "/")


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-", 0, 199), ("bytes=10-19", 10, 19), ("bytes=190-500", 190, 199), ("bytes=-10", 190, 199),
        ("bytes=-500", 0, 199), ("bytes=199-199", 199, 199), ("bytes= 10 - 19 ", 10, 19),
    ],
)  # fmt: skip
def test_a_part_is_what_was_asked_for(asked: str, first: int, last: int) -> None:
    answer = part(asked)
    assert answer.body == BODY[first : last + 1]
    assert answer.headers["content-length"] == str(last - first + 1)
    if (first, last) == (0, 199):
        assert answer.status == 200
    else:
        assert (answer.status, answer.headers["content-range"]) == (206, f"bytes {first}-{last}/200")


@pytest.mark.parametrize(
    "asked", [None, "", "bytes=", "lines=1-2", "bytes=x-y", "bytes=9-3", "bytes=1-2,5-6", "bytes=²-3"]
)
def test_what_is_not_understood_gets_everything(asked: str | None) -> None:
    answer = part(asked)
    assert (answer.status, answer.body) == (200, BODY)


@pytest.mark.parametrize("asked", ["bytes=200-", "bytes=999999999999999999999999-", "bytes=-0", "bytes=-" + "9" * 5000])
def test_a_part_behind_the_end_is_none(asked: str) -> None:
    answer = part(asked)
    assert (answer.status, answer.headers["content-range"], answer.body) == (416, "bytes */200", b"")


@given(st.text(max_size=40))
def test_any_range_is_answered(asked: str) -> None:
    assert ranged(BODY, "audio/wav", f"bytes={asked}").status_code in (200, 206, 416)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("24h", NOW - 86_400 * NS_PER_S),
        ("0.5d", NOW - 43_200 * NS_PER_S),
        ("100000d", 0),
        ("2026-11-30", 1_795_996_800 * NS_PER_S),
        ("2026-11-30T01:00", 1_796_000_400 * NS_PER_S),
        ("2026-11-30T01:00:00+01:00", 1_795_996_800 * NS_PER_S),
        ("", None),
    ],
)
def test_a_moment_is_an_age_or_a_date(text: str, at: int | None) -> None:
    assert fields.moment({"since": text}, "since", NOW) == at
    assert fields.moment({}, "since", NOW) is None


@given(st.text(max_size=30))
def test_any_text_is_a_moment_or_said_to_be_none(text: str) -> None:
    try:
        found = fields.moment({"since": text}, "since", NOW)
    except BadQueryError:
        return
    assert found is None or 0 <= found < 2**63


@given(st.text(max_size=30))
def test_any_text_is_a_number_or_said_to_be_none(text: str) -> None:
    try:
        found = fields.number({"slower": text}, "slower")
    except BadQueryError:
        return
    assert found is None or 0 <= found <= 1e9


FIGURES = st.lists(st.floats(0, 1e7), min_size=1, max_size=50)


@given(FIGURES, FIGURES)
def test_a_picture_holds_both_samples_within_its_edges(a: list[float], b: list[float]) -> None:
    found = distribution(a, b, a[0], b[0])
    assert found is not None
    for bar in (*found.a, *found.b):
        assert 0 <= bar.x < 100 and 0 < bar.height <= 100
    assert 0 <= found.median_a <= 100 and 0 <= found.median_b <= 100
    assert 2 <= len(found.ticks) <= 10 and found.ticks[0].x == 0 and found.ticks[-1].x == 100


def test_a_sample_that_is_slower_lies_further_right() -> None:
    found = distribution([100.0, 110.0, 120.0], [300.0, 310.0], 110.0, 305.0)
    assert found is not None
    assert max(bar.x for bar in found.a) < min(bar.x for bar in found.b)
    assert (found.median_a < found.median_b, found.beyond) == (True, 0)


def test_without_figures_there_is_no_picture() -> None:
    assert distribution([], [1.0], 0.0, 1.0) is None
