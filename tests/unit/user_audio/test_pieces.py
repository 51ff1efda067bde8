"""Resampling piece after piece is the same as resampling the whole."""

import random
from array import array

import pytest

from probe.user_audio.pieces import resampled_in_pieces
from probe.user_audio.resample import resampled


@pytest.mark.parametrize(
    ("rate", "wanted", "count"),
    [
        (22_050, 16_000, 50_000),
        (24_000, 16_000, 48_013),
        (8000, 16_000, 17_001),
        (16_000, 16_000, 20_000),
        (24_000, 8000, 5),
    ],
)
def test_the_pieces_are_the_whole(rate: int, wanted: int, count: int) -> None:
    chance = random.Random(1)
    samples = array("h", (chance.randrange(-9000, 9000) for _ in range(count)))
    pieces = [*resampled_in_pieces(samples, rate, wanted)]
    assert len(pieces) == -(-count // rate)
    assert sum(pieces, array("h")) == resampled(samples, rate, wanted)
