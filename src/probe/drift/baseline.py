"""What a run should take: the level of late, and the rhythm of the day. Logarithms, so that both are shares.

Each hour of the past is one cell, the mean of its middle half. The level is the median of the cells of up to a week
that are not too young, so that a slow ramp does not become its own baseline. The rhythm is how each hour of the day
differs from its day, shrunk by as much as chance alone would have made of it.
"""

import math
from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple

HOUR = 3600
_DAY = 24
_WEEK = 7 * _DAY
_KEPT = 8 * _DAY
# The youngest third of what there is, at most a day of it, is no baseline.
_LONGEST_LAG = _DAY
# Hours of a day that must be known before it tells of the rhythm.
_WHOLE_DAY = 16
# While the rhythm is unknown only the last hours are a fair comparison: as few as hold so many runs.
_RECENT_RUNS = 24
_RECENT_HOURS = range(2, 7)
# As long as the rhythm of the day is unknown, changes below this share are taken for it.
UNKNOWN_RHYTHM = 0.075
# A level from fewer runs would be worse than the one that was found when the level last changed.
_LEAST_RUNS = 120
# The mean of the middle half scatters more than a mean, as a variance.
_MIDMEAN = 1.2
# Hours with fewer runs than this part of the best are no equals.
_SPARSE = 4


class Cell(NamedTuple):
    hour: int
    value: float
    runs: int


class Baseline:
    """Fed with each run; `expected` is what the next one should take."""

    def __init__(self) -> None:
        self.level = 0.0
        self.rhythm: list[float] | None = None
        # What an hour's share of the rhythm is unsure by; until it is known, all of what it may be.
        self.unsure = UNKNOWN_RHYTHM
        self._cells: list[Cell] = []
        self._hour = 0
        self._values: list[float] = []
        self._since = 0

    def expected(self, at: float) -> float:
        return self.level if self.rhythm is None else self.level + self.rhythm[int(at // HOUR) % _DAY]

    def add(self, at: float, value: float | None, noise: float) -> bool:
        """Take a run, None for one that doesn't count; True where the rhythm is known anew.

        `noise` is the variance that a mean has for each run.
        """
        hour = int(at // HOUR)
        before = self.rhythm
        if hour != self._hour and self._values:
            self._close(noise)
        self._hour = hour
        if value is not None:
            self._values.append(value)
        return self.rhythm is not before

    def begin(self, level: float) -> None:
        """A new level, from now on."""
        self.level = level
        self._since = self._hour + 1
        self._values.clear()

    def forget_level(self) -> None:
        """Only the rhythm stays."""
        self._cells.clear()
        self._values.clear()
        self.level = 0.0

    def shift(self, by: float) -> None:
        """The level has changed: the past is moved along, for the rhythm's sake."""
        self._cells = [cell._replace(value=cell.value + by) for cell in self._cells]
        self.begin(self.level + by)

    def correct(self, by: float) -> None:
        """The level that began last is known better now."""
        self.level += by
        self._cells = [
            cell if cell.hour >= self._since else cell._replace(value=cell.value + by) for cell in self._cells
        ]

    def undo(self, by: float, since: int) -> None:
        """It was no new level after all."""
        self.shift(by)
        self._since = since

    @property
    def since(self) -> int:
        """The hour with which the present level began."""
        return self._since

    def _close(self, noise: float) -> None:
        self._cells.append(Cell(self._hour, midmean(self._values), len(self._values)))
        self._values.clear()
        del self._cells[:-_KEPT]
        while self._cells[0].hour < self._hour - _KEPT:
            del self._cells[0]
        # A day is whole when it ends, the first one whenever it began.
        if self._hour - self._cells[0].hour >= _DAY - 1 and (self.rhythm is None or self._hour % _DAY == _DAY - 1):
            found = _rhythm(self._cells, self._hour, noise)
            if found is not None:
                self.rhythm, self.unsure = found
        self._settle()

    def _settle(self) -> None:
        cells = [cell for cell in self._cells if cell.hour >= self._since]
        if not cells:
            return
        if self.rhythm is None:
            old_enough = _last(cells, _RECENT_RUNS)
        else:
            lag = max(1, min(_LONGEST_LAG, (self._hour - cells[0].hour) // 3))
            old_enough = [cell for cell in cells if self._hour - lag - _WEEK <= cell.hour <= self._hour - lag]
        most = max((cell.runs for cell in old_enough), default=0)
        old_enough = [cell for cell in old_enough if cell.runs * _SPARSE >= most]
        if sum(cell.runs for cell in old_enough) >= (_RECENT_RUNS if self.rhythm is None else _LEAST_RUNS):
            self.level = median(cell.value - self._usual(cell.hour) for cell in old_enough)

    def _usual(self, hour: int) -> float:
        return 0.0 if self.rhythm is None else self.rhythm[hour % _DAY]


def _last(cells: Sequence[Cell], runs: int) -> Sequence[Cell]:
    for hours in _RECENT_HOURS:
        if sum(cell.runs for cell in cells[-hours:]) >= runs:
            return cells[-hours:]
    return cells


def midmean(values: Iterable[float]) -> float:
    """Mean of the middle half: as robust as need be, and finer than a median where values come rounded."""
    ordered = sorted(values)
    cut = len(ordered) // 4
    middle = ordered[cut : len(ordered) - cut]
    return math.fsum(middle) / len(middle)


def _rhythm(cells: Sequence[Cell], last: int, noise: float) -> tuple[list[float], float] | None:
    days: dict[int, list[Cell]] = {}
    for cell in cells:
        days.setdefault((last - cell.hour) // _DAY, []).append(cell)
    sums, runs = [0.0] * _DAY, [0] * _DAY
    for day in days.values():
        if len(day) >= _WHOLE_DAY:
            middle = median(cell.value for cell in day)
            for cell in day:
                sums[cell.hour % _DAY] += (cell.value - middle) * cell.runs
                runs[cell.hour % _DAY] += cell.runs
    known = [total / weight for total, weight in zip(sums, runs, strict=True) if weight]
    if not known:
        return None
    centre = math.fsum(known) / len(known)
    variance = math.fsum((each - centre) ** 2 for each in known) / len(known)
    chance = _MIDMEAN * noise * len(known) / sum(runs)
    trust = max(0.0, 1 - chance / variance) if variance else 0.0
    rhythm = [trust * (total / weight - centre) if weight else 0.0 for total, weight in zip(sums, runs, strict=True)]
    return rhythm, min(UNKNOWN_RHYTHM, math.sqrt(chance))
