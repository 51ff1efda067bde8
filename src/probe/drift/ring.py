"""The last runs of one stage, as arrays: 33 bytes per run, where objects would take 200. Hundreds of series fit so."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import TypeVar

_Column = TypeVar("_Column", "array[int]", "array[float]", bytearray)


class Ring:
    """The last `size` runs, a column for each figure: what is asked for is of the runs from `first` on, oldest first.

    Values and residuals are logarithms; a residual is how far the run was from the baseline. What may be contention
    does not count yet. Numbers only rise.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        # Where the oldest is, once it is full.
        self._oldest = 0
        self._numbers = array("q")
        self._figures = (array("d"), array("d"), array("d"))
        self._counts = bytearray()

    def append(self, number: int, at: float, value: float, residual: float, counts: bool) -> None:
        """The oldest makes room for it, where the ring is full."""
        ats, values, residuals = self._figures
        if len(self._numbers) < self._size:
            self._numbers.append(number)
            ats.append(at)
            values.append(value)
            residuals.append(residual)
            self._counts.append(counts)
            return
        place = self._oldest
        self._numbers[place], self._counts[place] = number, counts
        ats[place], values[place], residuals[place] = at, value, residual
        self._oldest = (place + 1) % self._size

    def clear(self) -> None:
        self._oldest = 0
        del self._numbers[:], self._counts[:]
        for column in self._figures:
            del column[:]

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def last_at(self) -> float:
        """When the last of them was."""
        return self._figures[0][self._oldest - 1]

    def first(self, number: int) -> int:
        """Which run is the first from that number on; the length where there is none."""
        return bisect_left(self.numbers(), number)

    def numbers(self, first: int = 0) -> Sequence[int]:
        return self._in_order(self._numbers, first)

    def ats(self, first: int = 0) -> Sequence[float]:
        """When they were, in seconds since the epoch."""
        return self._in_order(self._figures[0], first)

    def values(self, first: int = 0) -> Sequence[float]:
        return self._in_order(self._figures[1], first)

    def residuals(self, first: int = 0) -> Sequence[float]:
        return self._in_order(self._figures[2], first)

    def counts(self, first: int = 0) -> Sequence[int]:
        """1 for each that counts, 0 for one that does not yet."""
        return self._in_order(self._counts, first)

    def put_residuals(self, residuals: Iterable[float], first: int = 0) -> None:
        column = self._figures[2]
        for place, residual in enumerate(residuals, self._oldest + first):
            column[place % len(column)] = residual

    def count(self, first: int) -> None:
        """All from there on count."""
        for place in range(self._oldest + first, self._oldest + len(self)):
            self._counts[place % len(self)] = True

    def _in_order(self, column: _Column, first: int) -> _Column:
        begin = self._oldest + first
        if begin < len(column):
            return column[begin:] + column[: self._oldest]
        return column[begin - len(column) : self._oldest]
