"""The last runs of one stage, as arrays: 33 bytes per run, where objects would take 200. Hundreds of series fit so."""

from array import array
from collections.abc import Iterator
from typing import NamedTuple


class Seen(NamedTuple):
    """One run of one stage; logarithms. `residual` is how far it was from the baseline.

    What may be contention does not count yet.
    """

    number: int
    at: float
    value: float
    residual: float
    counts: bool


class Ring:
    """A sequence of the last `size` runs, oldest first, as a deque with a maximum length is."""

    def __init__(self, size: int) -> None:
        self._size = size
        # Where the oldest is, once it is full.
        self._oldest = 0
        self._numbers = array("q")
        self._figures = (array("d"), array("d"), array("d"))
        self._counts = bytearray()

    def append(self, seen: Seen) -> None:
        if len(self) < self._size:
            self._numbers.append(seen.number)
            for column, figure in zip(self._figures, seen[1:4], strict=True):
                column.append(figure)
            self._counts.append(seen.counts)
        else:
            self._put(self._oldest, seen)
            self._oldest = (self._oldest + 1) % self._size

    def clear(self) -> None:
        self._oldest = 0
        del self._numbers[:], self._counts[:]
        for column in self._figures:
            del column[:]

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: int) -> Seen:
        return self._at(self._place(index))

    def __setitem__(self, index: int, seen: Seen) -> None:
        self._put(self._place(index), seen)

    def __iter__(self) -> Iterator[Seen]:
        for index in range(len(self)):
            yield self._at((self._oldest + index) % len(self))

    def __reversed__(self) -> Iterator[Seen]:
        for index in range(len(self) - 1, -1, -1):
            yield self._at((self._oldest + index) % len(self))

    def _place(self, index: int) -> int:
        """Where in the arrays an index of the sequence is; a negative one counts from the end."""
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return (self._oldest + index) % len(self)

    def _at(self, place: int) -> Seen:
        at, value, residual = self._figures
        return Seen(self._numbers[place], at[place], value[place], residual[place], bool(self._counts[place]))

    def _put(self, place: int, seen: Seen) -> None:
        self._numbers[place] = seen.number
        for column, figure in zip(self._figures, seen[1:4], strict=True):
            column[place] = figure
        self._counts[place] = seen.counts
