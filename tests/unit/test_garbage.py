"""What is there before a run costs the run no collection."""

import gc
from collections.abc import Iterator

import pytest

from probe import garbage


@pytest.fixture(autouse=True)
def unfrozen() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_what_is_there_is_collected_once_and_then_left_alone() -> None:
    cycle: list[object] = []
    cycle.append(cycle)
    del cycle
    before = gc.get_freeze_count()
    garbage.freeze()
    assert gc.get_freeze_count() > before
    assert gc.collect() == 0
