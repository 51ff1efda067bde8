"""One change: what belongs to it."""

import pytest

from probe.drift import Shift
from probe.drift.change import Direction
from probe.drift.episode import Episode


def shift(since: int, direction: Direction) -> Shift:
    return Shift(since, since + 5, direction, "combined_ttfb", (), 1.0, (), ())


@pytest.mark.parametrize(
    ("since", "direction", "is_of_it"),
    [(100, "slower", True), (112, "slower", True), (90, "slower", True), (159, "slower", True),
     (160, "slower", False), (112, "faster", False)],
)  # fmt: skip
def test_what_began_with_a_change_and_goes_the_same_way_is_of_it(
    since: int, direction: Direction, is_of_it: bool
) -> None:
    """A stage that shows some runs later is no other change."""
    assert Episode(shift(100, "slower"), {}).is_of_it(shift(since, direction), range(1000)) is is_of_it


@pytest.mark.parametrize(("first", "direction", "is_new"), [("slower", "slower", True), ("faster", "faster", False)])
def test_what_becomes_slower_still_is_news_and_what_becomes_faster_still_is_not(
    first: Direction, direction: Direction, is_new: bool
) -> None:
    levels = {"slower": (0.05, 0.09), "faster": (-0.05, -0.09)}
    known, further = levels[first]
    episode = Episode(shift(100, first), {"tts_ttfb": 0.0})
    episode.tell(110, first, {"tts_ttfb": known})
    assert episode.is_new("tts_ttfb", direction, further, 0.03) is is_new


def test_what_was_faster_and_is_slower_than_before_is_news() -> None:
    episode = Episode(shift(100, "faster"), {"tts_ttfb": 0.0})
    episode.tell(110, "faster", {"tts_ttfb": -0.05})
    assert episode.is_new("tts_ttfb", "slower", 0.04, 0.03)
