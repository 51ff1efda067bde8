"""Work that can be left for a while, done without leaving it."""

from typing import TypeVar

from probe.transport.share import Slices

T = TypeVar("T")


def whole(work: Slices[T]) -> T:
    """The result."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            result: T = done.value
            return result
