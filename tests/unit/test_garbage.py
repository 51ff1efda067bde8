"""What is there before a run costs the run no collection."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from probe import garbage


class Node:
    """Refers to itself, so that only a collection frees it."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def unfrozen() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_what_is_not_used_is_freed_and_the_rest_is_frozen() -> None:
    unused, before = weakref.ref(Node()), gc.get_freeze_count()
    garbage.freeze()
    assert unused() is None
    assert gc.get_freeze_count() > before
