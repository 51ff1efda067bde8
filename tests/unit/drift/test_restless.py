"""How much runs scatter just now: what a level does is no part of it."""

import random

from probe.drift.noise import Restless


def scales(values: list[float]) -> list[float]:
    """With each of these, whose steps are one sigma on average as a rule."""
    restless = Restless()
    return [restless.scale(restless.step(each, 1.0), 1.0) for each in values]


def scale(values: list[float]) -> float:
    return scales(values)[-1]


def scattered(runs: int, sigma: float) -> list[float]:
    rng = random.Random(4)
    # Steps of independent runs are 1.13 times as far as runs scatter.
    return [rng.gauss(0, sigma / 1.13) for _ in range(runs)]


def test_usual_scatter_is_no_more_than_usual_and_more_of_it_is_more() -> None:
    assert scale(scattered(300, 0.5)) == 1
    assert 1 <= scale(scattered(300, 1.0)) < 1.3
    assert 1.4 < scale(scattered(300, 2.0)) < 2.3


def test_much_more_scatter_is_known_for_what_it_is() -> None:
    assert 4 < scale(scattered(300, 6.0)) < 7


def test_a_level_that_changes_is_no_scatter() -> None:
    level = [*scattered(100, 0.8), *(5 + each for each in scattered(40, 0.8))]
    assert max(scales(level)) < 1.4


def test_one_spike_is_bounded() -> None:
    assert scale([*scattered(100, 0.8), 1000.0]) == scale([*scattered(100, 0.8), 10.0]) < 1.4
