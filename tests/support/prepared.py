"""What a fuzzer begins with each time, made once: to copy it takes a third of the time that making it does."""

import pickle
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def again(make: Callable[[], T]) -> Callable[[], T]:
    """Make the same thing as `make` at each call. Two of them share nothing."""
    made = pickle.dumps(make(), pickle.HIGHEST_PROTOCOL)

    def copy() -> T:
        found: T = pickle.loads(made)  # noqa: S301 - written above
        return found

    return copy
