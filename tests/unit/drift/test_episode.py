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
