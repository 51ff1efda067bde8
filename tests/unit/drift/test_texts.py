"""What a stage takes by the text: the line is found, and changes are found beside it."""

import math
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from series import DAY, point, watched

from probe.drift import Grows, Shift
from probe.drift.series import Point
from probe.drift.texts import fitted
from probe.drift.wording import grows

AT = 2 * DAY
BASE_MS, SLOPE_MS = 38.0, 4.1


def speaking(runs: int, factor: float = 1.0) -> Iterator[Point]:
    """Sentences of 12 to 200 characters; from `AT` on the speech takes `factor` times as long."""
    rng = random.Random(4)
    for number in range(runs):
        chars = rng.randint(12, 200)
        tokens = chars // 4
        slower = factor if number >= AT else 1.0
        decode, speech = (40 + 9 * tokens, (BASE_MS + SLOPE_MS * chars) * slower)
        parts = [each * math.exp(rng.gauss(0, 0.04)) for each in (120, decode, speech)]
        yield replace(point(number, parts), chars=chars, tokens=tokens)


def test_a_change_is_found_however_long_the_sentences() -> None:
    monitor, found = watched(speaking(AT + 60, 1.15))
    (shift,) = found
    assert isinstance(shift, Shift)
    assert (shift.direction, shift.stage) == ("slower", "tts_ttfb")
    assert sum(each.started <= shift.found for each in speaking(AT + 60)) - AT <= 20
    now = {each.stage: each for each in monitor.verdict().now}
    assert now["tts_ttfb"].ratio == pytest.approx(1.15, abs=0.03)
    by_stage = {each.stage: each for each in monitor.verdict().grows}
    assert by_stage["llm_decode"].slope_ms == pytest.approx(9, rel=0.03)
    assert by_stage["tts_ttfb"].base_ms == pytest.approx(BASE_MS, abs=12)


def test_where_it_is_not_known_how_long_they_were_it_is_not_found() -> None:
    without = (replace(each, chars=None, tokens=None) for each in speaking(AT + 60, 1.15))
    monitor, found = watched(without)
    assert (found, monitor.verdict().grows) == ([], ())


def test_the_line_is_moved_by_no_outlier() -> None:
    rng = random.Random(2)
    past = [(x := float(rng.randint(10, 90)), (20 + 2 * x) * (9 if rng.random() < 0.2 else 1)) for _ in range(400)]
    line = fitted(past)
    assert line == pytest.approx((20, 2), rel=0.25)


@pytest.mark.parametrize(
    "past",
    [
        [(50.0, 100.0 + n % 7) for n in range(64)],
        [(50.0 + n % 9, 400.0 - (n % 9) * 20) for n in range(64)],
        [(10.0 + n, 100.0 + n * 37 % 50) for n in range(64)],
    ],
    ids=["all of a length", "longer is faster", "whatever the length"],
)
def test_no_line_is_none(past: list[tuple[float, float]]) -> None:
    assert fitted(past) is None


def test_it_never_takes_less_than_nothing() -> None:
    line = fitted([(float(n), 5.0 * n - 40) for n in range(10, 80)])
    assert line is not None
    assert line[0] == 0.0
    assert line[1] > 0


def test_it_is_said_in_words() -> None:
    assert grows(Grows("tts_ttfb", "characters", 38.2, 4.1)) == "38 ms + 4.1 ms per character"
