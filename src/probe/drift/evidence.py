"""The evidence that one stage is not what it was: sums of log-likelihood ratios, for several sizes of shift, both ways.

Each sum starts anew when it falls below zero (CUSUM). For independent runs that obey the density they were learned
from, one of them reaches h by chance at most once in e^h runs, whatever the density.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from probe.drift.baseline import Baseline, midmean
from probe.drift.noise import Noise, Table, estimate

# Runs before anything can be said.
ENOUGH = 60
# What the noise is learned from, and how often.
RING = 2880
_RELEARN = 720
_FIRST_RELEARNS = (60, 120, 240, 480, 960)
# As long as the rhythm of the day is unknown, changes below this share are taken for it.
UNKNOWN_RHYTHM = 0.075
# Evidence that came and went by itself in the past is no alarm the next time, and a little more than it isn't either.
_MARGIN = 1.2
_MEMORY = 0.99
# After a change: how many runs until the new level is known well enough to tell a shift from it, by size.
_SETTLED_FOR = {1.0: 120, 2.0: 40, 4.0: 12}
_NEEDS = [runs for runs in _SETTLED_FOR.values() for _ in (1, -1)] + [0, 0]
_SETTLE_AT = (12, 20, 40, 80, 120)


class Seen(NamedTuple):
    """One run of one stage: its number, what it took and how far that was from the baseline (logarithms)."""

    number: int
    at: float
    value: float
    residual: float


class Evidence:
    """One stage. `add` each run; `strongest` is then how close to an alarm it is, as a share of the threshold."""

    def __init__(self, threshold: float, excused: "Callable[[Sequence[Seen]], bool]") -> None:
        self._excused = excused
        self.baseline = Baseline()
        self.seen: deque[Seen] = deque(maxlen=RING)
        self.noise: Noise | None = None
        self.runs = 0
        self._threshold = threshold
        self._sums: list[float] = []
        self._onsets: list[int] = []
        self._limits: list[float] = []
        self._since_change = 0
        # The run with which the level last changed and by how much, until the new one has settled.
        self._changed: tuple[int, float, int] | None = None

    @property
    def known(self) -> bool:
        return self.noise is not None

    def add(self, number: int, at: float, value: float) -> None:
        self.runs += 1
        self._since_change += 1
        noise = self.noise
        if noise is None:
            self.seen.append(Seen(number, at, value, 0.0))
            self.baseline.add(at, value, 0.0)
            if len(self.seen) >= ENOUGH:
                self._begin()
            return
        rhythm = self.baseline.rhythm
        ended = self.baseline.add(at, value, noise.sigma**2 * noise.inflation)
        if ended and rhythm is None and self.baseline.rhythm is not None:
            self._look_again()
        residual = value - self.baseline.expected(at)
        self.seen.append(Seen(number, at, value, residual))
        if self.runs % _RELEARN == 0 or self.runs in _FIRST_RELEARNS:
            self._learn()
        self._weigh(noise, number, residual)
        if self._changed is not None and self._since_change in _SETTLE_AT:
            self._settle()

    def strongest(self) -> float:
        """How close to an alarm the runs are, as a share of what it takes."""
        if self.noise is None:
            return 0.0
        return max(
            (each / limit for each, limit, needs in zip(self._sums, self._limits, _NEEDS, strict=True)
             if self._since_change >= needs),
            default=0.0,
        )

    def onset(self) -> int:
        """The number of the run since which the strongest evidence has been growing."""
        shares = [each / limit for each, limit in zip(self._sums, self._limits, strict=True)]
        return self._onsets[shares.index(max(shares))]

    def since(self, number: int) -> list[Seen]:
        """The runs from that number on."""
        found = []
        for each in reversed(self.seen):
            if each.number < number:
                break
            found.append(each)
        return found[::-1]

    def forget(self) -> None:
        """What is known is about something else now; the rhythm of the day stays."""
        self.seen.clear()
        self.noise = None

    def clear(self) -> None:
        self._sums = [0.0] * len(_NEEDS)
        self._onsets = [self.seen[-1].number + 1] * len(_NEEDS)

    def change(self, since: int, by: float) -> None:
        """The level has changed by so much with the run of that number."""
        before = self._changed
        if before is not None and self._since_change < ENOUGH and abs(before[1] + by) < abs(before[1]) / 2:
            # It went as it came: that was a burst, and the next one like it shall be no alarm.
            self._undo(before)
            return
        self._changed = (since, by, self.baseline.since)
        self._rebase(since, None, -by)
        self._since_change = len(self.since(since))
        self.baseline.shift(by)
        self.clear()

    def _undo(self, before: tuple[int, float, int]) -> None:
        self._rebase(before[0], None, before[1])
        self._changed = None
        self._since_change = _SETTLE_AT[-1]
        self.baseline.undo(-before[1], before[2])
        self.clear()
        self._learn()

    def _rebase(self, first: int, end: int | None, by: float) -> None:
        for index, each in enumerate(self.seen):
            if each.number >= first and (end is None or each.number < end):
                self.seen[index] = each._replace(residual=each.residual + by)

    def _settle(self) -> None:
        """More runs since the change say more precisely what the new level is."""
        assert self._changed is not None  # noqa: S101 - only called then
        since, by, was = self._changed
        more = midmean(each.residual for each in self.since(since))
        self._changed = None if self._since_change >= _SETTLE_AT[-1] else (since, by + more, was)
        self._rebase(since, None, -more)
        self.baseline.correct(more)
        self.clear()

    def _begin(self) -> None:
        level = midmean(each.value for each in self.seen)
        self.baseline.begin(level - (self.baseline.expected(self.seen[-1].at) - self.baseline.level))
        self._look_again()
        self.clear()

    def _look_again(self) -> None:
        for index, each in enumerate(self.seen):
            self.seen[index] = each._replace(residual=each.value - self.baseline.expected(each.at))
        self._learn()

    def _learn(self) -> None:
        residuals = [each.residual for each in self.seen]
        self.noise = estimate(residuals)
        peaks = [self._peak(table, [self.noise.cell(each) for each in residuals]) for table in self.noise.tables]
        old = self._limits or [0.0] * len(peaks)
        self._limits = [
            max(self._threshold, _MARGIN * peak, _MEMORY * before) for peak, before in zip(peaks, old, strict=True)
        ]

    def _weigh(self, noise: Noise, number: int, residual: float) -> None:
        if self.baseline.rhythm is None:
            residual = max(0.0, residual - UNKNOWN_RHYTHM) + min(0.0, residual + UNKNOWN_RHYTHM)
        cell = noise.cell(residual)
        sums = self._sums
        for index, table in enumerate(noise.tables):
            now = sums[index] + table[cell]
            if now <= 0.0:
                sums[index] = 0.0
                self._onsets[index] = number + 1
            else:
                sums[index] = now

    def _peak(self, table: Table, cells: Sequence[int]) -> float:
        """The highest that a sum would have come in the past, and then have gone back to nothing."""
        highest, floor = 0.0, self._threshold / _MARGIN
        now = top = 0.0
        start = top_at = 0
        for index, cell in enumerate(cells):
            now += table[cell]
            if now > top:
                top, top_at = now, index
            elif now <= 0.0:
                if top > floor and top > highest and not self._excused([self.seen[i] for i in range(start, top_at + 1)]):
                    highest = top
                now = top = 0.0
                start = index + 1
        return highest
