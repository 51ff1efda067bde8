"""What a run should take: the recent level, and the rhythm of the day. Logarithms, so that both are shares.

Each hour of the past is one cell, the mean of its middle half. The level is the median of the cells of up to a week
that are not too young, so that a slow ramp does not become its own baseline. The rhythm is how each hour of the day
differs from its day, shrunk by as much as chance alone would have made of it.
"""

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from statistics import median
from typing import NamedTuple

from probe.drift.figures import ENOUGH, SETTLED, SPARSE
from probe.timestamps import NS_PER_DAY, NS_PER_HOUR, NS_PER_S

HOUR = NS_PER_HOUR // NS_PER_S
DAY = NS_PER_DAY // NS_PER_HOUR
# So many days are known: a week, and the one that is too young.
DAYS = 8
_KEPT = DAYS * DAY
# The youngest third of what there is, at most a day of it, is no baseline.
_LONGEST_LAG = DAY
# While the rhythm is unknown only the last hours are a fair comparison: so many, so that one of them may be off.
_RECENT_HOURS = 3
# As long as the rhythm of the day is unknown, changes below this share are attributed to it.
UNKNOWN_RHYTHM = 0.075
# The mean of the middle half scatters more than a mean, as a variance.
MIDMEAN = 1.2
# How hours stray from the rhythm: fewer days show it poorly; and by how much more the next days may stray than these.
_SOME_DAYS = 5
_AS_MUCH_AGAIN = 1.5


class Cell(NamedTuple):
    """`value` moves along when the level has changed, `raw` is as it was seen."""

    hour: int
    value: float
    raw: float
    runs: int


_HOUR_OF_CELL = attrgetter("hour")


class Stray(NamedTuple):
    """How far an hour was from the level around it."""

    hour: int
    by: float
    runs: int


def hour_of(at: float) -> int:
    """The hour of a moment in seconds since the epoch, counted from there."""
    return int(at // HOUR)


class Baseline:
    """Fed with each run; `expected` is what one should take in an hour."""

    def __init__(self) -> None:
        self.level = 0.0
        self.rhythm: list[float] | None = None
        # What each hour's share of the rhythm is unsure by; until it is known, all of what it may be.
        self._unsure: Sequence[float] = [UNKNOWN_RHYTHM] * DAY
        self._cells: list[Cell] = []
        self._hour = 0
        self._values: list[float] = []
        self._raw: list[float] = []
        self._since = 0
        # The hour in which the level began, and how many of its runs were before.
        self._began = (0, 0)

    def expected(self, hour: int) -> float:
        return self.level if self.rhythm is None else self.level + self.rhythm[hour % DAY]

    def unsure(self, hour: int) -> float:
        """How far a run may be from what is expected, for all that is known of that hour of the day."""
        return self._unsure[hour % DAY]

    def add(self, hour: int, value: float | None, noise: float) -> bool:
        """Take a run, None for one that doesn't count; True where the rhythm has been estimated again.

        `noise` is the variance that a mean has for each run.
        """
        before = self.rhythm
        if hour != self._hour and self._values:
            self._close(noise, is_last=hour // DAY > self._hour // DAY)
        self._hour = hour
        if value is not None:
            self._values.append(value)
            self._raw.append(value)
        return self.rhythm is not before

    def usual(self, hour: int) -> float:
        """What of it is the rhythm."""
        return 0.0 if self.rhythm is None else self.rhythm[hour % DAY]

    def around(self) -> dict[int, float]:
        """The level around each hour, by hour: the median of a day, which knows no more of changes than was seen.

        What lasts for less than half a day is not in it, and a step stays a step. Nothing while the rhythm is unknown.
        """
        if self.rhythm is None:
            return {}
        hours = [cell.hour for cell in self._cells]
        flat = [cell.raw - self.usual(cell.hour) for cell in self._cells]
        return {hour: _median_around(hour, hours, flat) for hour in hours}

    def strays(self, around: Mapping[int, float]) -> list[Stray]:
        """How far each hour was from the level around it; nothing while that is unknown."""
        if not around:
            return []
        found = ((each, each.raw - self.usual(each.hour) - around[each.hour]) for each in self._cells)
        return [Stray(each.hour, by, each.runs) for each, by in found]

    def begin(self, level: float) -> None:
        """A new level, from now on."""
        self.level = level
        self._since = self._hour + 1

    def forget_level(self) -> None:
        """Only the rhythm stays."""
        self._cells.clear()
        self._values.clear()
        self._raw.clear()
        self.level = 0.0

    def shift(self, by: float, runs: int) -> None:
        """The level has changed, so many runs ago: the past is moved along, for the rhythm's sake."""
        before = max(0, len(self._values) - runs)
        self._cells = [cell._replace(value=cell.value + by) for cell in self._cells]
        self._values[:before] = [value + by for value in self._values[:before]]
        self._began = (self._hour, before)
        self.begin(self.level + by)

    def correct(self, by: float) -> None:
        """The level that began last is known better now."""
        self.level += by
        self._cells = [
            cell if cell.hour >= self._since else cell._replace(value=cell.value + by) for cell in self._cells
        ]

    def undo(self, by: float, level: float, since: int) -> None:
        """It was no new level after all, and belongs to how hours differ: back to the one that began in that hour."""
        hour, before = self._began
        self._cells = [cell if cell.hour >= hour else cell._replace(value=cell.value + by) for cell in self._cells]
        if hour == self._hour:
            self._values[:before] = [value + by for value in self._values[:before]]
        self.level = level
        self._since = since

    @property
    def since(self) -> int:
        """The hour with which the present level began."""
        return self._since

    def _close(self, noise: float, *, is_last: bool) -> None:
        """The hour is over; `is_last`: and its day with it."""
        closed = Cell(self._hour, midmean(self._values), midmean(self._raw), len(self._values))
        # In the order of time, also where a clock was wrong for a while: hours are searched for, and forgotten, by it.
        insort(self._cells, closed, key=_HOUR_OF_CELL)
        self._values.clear()
        self._raw.clear()
        del self._cells[:-_KEPT]
        while self._cells[0].hour < self._hour - _KEPT:
            del self._cells[0]
        # A day is whole when it ends, the first one whenever it began.
        if self._hour - self._cells[0].hour >= DAY - 1 and (self.rhythm is None or is_last):
            found = _rhythm(self._from_their_days(), noise)
            if found is not None:
                self.rhythm, self._unsure = found
        self._settle()

    def _from_their_days(self) -> list[Cell]:
        """How far each hour was from the whole day around it: of those that have one, or of the first day all.

        A whole day has all of the rhythm, known or not: what is left is no level that rises, and no rhythm that was
        mistaken for one before.
        """
        hours, values = [cell.hour for cell in self._cells], [cell.value for cell in self._cells]
        earliest, latest = hours[0] + DAY // 2, hours[-1] - DAY // 2
        if latest - earliest >= DAY - 1:
            cells = [cell for cell in self._cells if earliest <= cell.hour <= latest]
        else:
            cells = self._cells
        around = [max(earliest, min(latest, cell.hour)) for cell in cells]
        return [
            cell._replace(value=cell.value - _median_around(middle, hours, values))
            for cell, middle in zip(cells, around, strict=True)
        ]

    def _settle(self) -> None:
        cells = self._cells[bisect_left(self._cells, self._since, key=_HOUR_OF_CELL) :]
        if not cells:
            return
        if self.rhythm is None:
            old_enough = cells[-_RECENT_HOURS:] if len(cells) >= _RECENT_HOURS else []
        else:
            lag = max(1, min(_LONGEST_LAG, (self._hour - cells[0].hour) // 3))
            old_enough = cells[: bisect_right(cells, self._hour - lag, key=_HOUR_OF_CELL)]
        most = max((cell.runs for cell in old_enough), default=0)
        old_enough = [cell for cell in old_enough if cell.runs >= SPARSE * most]
        if sum(cell.runs for cell in old_enough) >= (ENOUGH if self.rhythm is None else SETTLED):
            self.level = median(cell.value - self.usual(cell.hour) for cell in old_enough)


def _median_around(hour: int, hours: Sequence[int], values: Sequence[float]) -> float:
    return median(values[bisect_left(hours, hour - DAY // 2) : bisect_right(hours, hour + DAY // 2)])


def midmean(values: Iterable[float]) -> float:
    """Mean of the middle half: as robust as need be, and finer than a median where values come rounded."""
    ordered = sorted(values)
    cut = len(ordered) // 4
    middle = ordered[cut : len(ordered) - cut]
    return math.fsum(middle) / len(middle)


def _rhythm(cells: Sequence[Cell], noise: float) -> tuple[list[float], list[float]] | None:
    """How each hour of the day differs from its day, and what that is unsure by."""
    days: dict[int, list[Cell]] = {}
    for cell in cells:
        days.setdefault((cells[-1].hour - cell.hour) // DAY, []).append(cell)
    fullest = max(len(day) for day in days.values())
    whole = [_from_its_day(day) for day in days.values() if len(day) >= SPARSE * fullest]
    sums, runs = [0.0] * DAY, [0] * DAY
    for cell in (cell for day in whole for cell in day):
        sums[cell.hour % DAY] += cell.value * cell.runs
        runs[cell.hour % DAY] += cell.runs
    known = [total / weight for total, weight in zip(sums, runs, strict=True) if weight]
    if not known:
        return None
    # As a day's own: were they of another kind, all hours would stray by the difference.
    centre = median(known)
    variance = math.fsum((each - centre) ** 2 for each in known) / len(known)
    chance = MIDMEAN * noise * len(known) / sum(runs)
    trust = max(0.0, 1 - chance / variance) if variance else 0.0
    rhythm = [trust * (total / weight - centre) if weight else 0.0 for total, weight in zip(sums, runs, strict=True)]
    # One that was seen on one day only may be none: as far as its highest hour is from its lowest.
    once = max(rhythm) - min(rhythm) if len(whole) == 1 else 0.0
    strays = _strays(whole, rhythm, chance * len(whole))
    unsure = min(UNKNOWN_RHYTHM, math.hypot(math.sqrt(chance), once))
    return rhythm, [unsure + stray + alone for stray, alone in zip(strays, _alone(rhythm, chance), strict=True)]


def _alone(rhythm: Sequence[float], chance: float) -> list[float]:
    """By how much each hour stands out from both its neighbours, more than chance would make it.

    What makes it so lasts for a part of the hour, and runs are either with it or without it.
    """
    middles = [median((rhythm[hour - 1], rhythm[hour], rhythm[(hour + 1) % DAY])) for hour in range(DAY)]
    return [math.sqrt(max(0.0, (own - usual) ** 2 - chance)) for own, usual in zip(rhythm, middles, strict=True)]


def _from_its_day(day: Sequence[Cell]) -> list[Cell]:
    middle = median(cell.value for cell in day)
    return [cell._replace(value=cell.value - middle) for cell in day]


def _strays(days: Sequence[Sequence[Cell]], rhythm: Sequence[float], chance: float) -> list[float]:
    """By how much each hour of the day strays from the rhythm, more than chance would, on more than one day.

    The middle of three hours counts: what is shorter is a matter of runs and not of the level. Of the first days it is
    the one that strays most, later the one but most: what happened once is no habit.
    """
    if len(days) == 1:
        return [0.0] * DAY
    distances: list[list[float]] = [[] for _ in range(DAY)]
    for day in days:
        by_hour = {cell.hour % DAY: cell.value - rhythm[cell.hour % DAY] for cell in day}
        for hour in range(DAY):
            around = [by_hour[each % DAY] for each in range(hour - 1, hour + 2) if each % DAY in by_hour]
            if around:
                distances[hour].append(abs(median(around)))
    others = len(days) / (len(days) - 1)
    rank = -1 if len(days) < _SOME_DAYS else -2
    seconds = [others * sorted(each)[rank] if len(each) > 1 else 0.0 for each in distances]
    return [_AS_MUCH_AGAIN * math.sqrt(max(0.0, each**2 - chance)) for each in seconds]
