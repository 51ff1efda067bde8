"""The evidence that one stage is not what it was: sums of log-likelihood ratios, for several sizes of shift, both ways.

Each sum starts again when it falls below zero (Page's CUSUM). For independent runs that obey the density they were
learned from, one of them comes to h by chance once in e^h runs at most, whatever the density.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress

from probe.drift.baseline import DAY, DAYS, HOUR, Baseline, hour_of, midmean
from probe.drift.change import DIRECTIONS
from probe.drift.figures import ALIKE, CERTAIN, ENOUGH, SETTLED, is_doubled
from probe.drift.noise import SHIFTS, Noise, Restless, estimate
from probe.drift.ring import Ring

# What the noise is learned from; the first day each time that they have doubled, then once a day at most.
RING = 2880
# When a new level is looked at again after a change, in runs since.
SETTLE_AT = (SETTLED // 8, SETTLED // 4, SETTLED // 2, SETTLED)
# Until then it is not known well enough to distinguish such a shift from it: by table, in runs.
_NEEDED = [SETTLED // shift**2 for shift in SHIFTS for _ in DIRECTIONS]


@dataclass(slots=True)
class Changed:
    """The last change: with which run, by how much, and when it was found.

    What was before: the level, the hour it began in, and for how many runs it had held.
    """

    since: int
    by: float
    at: float
    level: float
    level_since: int
    held: int


class Evidence:
    """One stage. `add` each run; `strongest` of 1 or more is then an alarm."""

    def __init__(self, threshold: float) -> None:
        self.baseline = Baseline()
        self.seen = Ring(RING)
        self.noise: Noise | None = None
        self._restless = Restless()
        self.runs = 0
        self.since_change = 0
        self._threshold = threshold
        self._sums = [0.0] * len(_NEEDED)
        self._onsets = [0] * len(_NEEDED)
        self._changed: Changed | None = None
        # Whole days that are known, and the runs of which it was learned last.
        self._days = 0
        self._learned = 0

    def add(self, number: int, at: float, value: float, counts: bool) -> None:
        """Take a run. `at` is seconds since the epoch, `value` the logarithm of what it took."""
        self.runs += 1
        self.since_change += 1
        noise = self.noise
        if noise is None:
            self._collect(number, at, value)
            return
        hour = hour_of(at)
        unknown = self.baseline.rhythm is None
        if self.baseline.add(hour, value if counts else None, noise.sigma**2 * noise.nearby):
            self._days = min(DAYS, self._days + 1)
            if unknown:
                self._look_again()
            elif self.runs - self._learned >= ENOUGH:
                self._learn()
        residual = value - self.baseline.expected(hour)
        self.seen.append(number, at, value, residual, counts)
        if is_doubled(self.runs):
            self._learn()
        scale = self._restless.scale(self._restless.step(value, noise.sigma), noise.step)
        if counts:
            self._weigh(number, noise, noise.cell(_sure(residual, self.baseline.unsure(hour)) / scale))
        if self._changed is not None and self.since_change in SETTLE_AT:
            self._settle(self._changed)

    def count(self, since: int) -> None:
        """The runs from that number on count after all: from now on they are known, and no evidence."""
        self.seen.count(self.seen.first(since))

    def strongest(self) -> float:
        if self.noise is None or max(self._sums) < self._threshold:
            return 0.0
        known = (each for each, runs in zip(self._sums, _NEEDED, strict=True) if self.since_change >= runs)
        return max(known, default=0.0) / (self._threshold * self.patience)

    @property
    def patience(self) -> float:
        """How many times as much evidence as in the end it takes by now: twice on the first day."""
        return 2 - self._days / DAYS

    def onset(self) -> int:
        """The number of the run since which the strongest evidence has been growing."""
        return self._onsets[self._sums.index(max(self._sums))]

    def lately(self, runs: int) -> float:
        """The level that the last runs had, without the rhythm of the day."""
        return self.baseline.level + midmean(self.last_residuals(max(1, runs)))

    def last_residuals(self, runs: int) -> Sequence[float]:
        """How far the last so many runs were from the baseline."""
        return self.seen.residuals(max(0, len(self.seen) - runs))

    def since(self, number: int) -> tuple[Sequence[float], Sequence[float]]:
        """The runs from that number on: how far they were from the baseline, and what they took."""
        first = self.seen.first(number)
        return self.seen.residuals(first), self.seen.values(first)

    def error_since(self, number: int) -> float:
        """Standard error of the level that the runs from that number on have shown; 0 while nothing is known."""
        return self.noise.error(max(1, len(self.seen) - self.seen.first(number))) if self.noise else 0.0

    def forget(self) -> None:
        """What is known is about something else now; only the rhythm of the day stays."""
        self.seen.clear()
        self.noise = self._changed = None
        self.runs = self.since_change = self._learned = 0
        self.baseline.forget_level()

    def clear(self) -> None:
        """Set all sums to zero."""
        self._sums = [0.0] * len(_NEEDED)

    def gone(self, since: int, by: float) -> int | None:
        """With which run the last change began, if it is gone since the run of that number; None if it is not.

        `by` is how far the level moved since: all the way back, as far as so few runs can show.
        """
        before = self._changed
        if before is None or self.seen.last_at - before.at >= DAY * HOUR or self.since_change >= before.held:
            return None
        least = min(ALIKE * abs(before.by), CERTAIN * self.error_since(since))
        return before.since if self._left(before, by) < least else None

    def undo(self, since: int, by: float) -> bool:
        """The change of the run of that number went as it came: it was none, if this level moved back by so much."""
        before = self._changed
        if before is None or before.since < since or self._left(before, by) >= ALIKE * abs(before.by):
            return False
        self._changed = None
        self.since_change += before.held
        self.baseline.undo(-before.by, before.level, before.level_since)
        self._compare_again(self.seen.first(before.since))
        self.clear()
        self._learn()
        return True

    def change(self, since: int, by: float) -> None:
        """The level has changed by so much with the run of that number."""
        now = self.seen.last_at
        self._changed = Changed(since, by, now, self.baseline.level, self.baseline.since, self.since_change)
        first = self.seen.first(since)
        self._rebase(first, -by)
        self.since_change = len(self.seen) - first
        self.baseline.shift(by, self.since_change)
        self.clear()

    def _left(self, before: Changed, by: float) -> float:
        return abs(self.baseline.level + by - before.level)

    def _settle(self, changed: Changed) -> None:
        """More runs since the change say more precisely what the new level is."""
        first = self.seen.first(changed.since)
        more = midmean(self.seen.residuals(first))
        changed.by += more
        self._rebase(first, -more)
        self.baseline.correct(more)
        self.clear()

    def _rebase(self, first: int, by: float) -> None:
        self.seen.put_residuals([each + by for each in self.seen.residuals(first)], first)

    def _compare_again(self, first: int = 0) -> None:
        """The baseline of these runs is another than it was when they came."""
        self.seen.put_residuals(self._from_baseline(first), first)

    def _from_baseline(self, first: int = 0) -> list[float]:
        expected = self.baseline.expected
        runs = zip(self.seen.values(first), self.seen.ats(first), strict=True)
        return [value - expected(hour_of(at)) for value, at in runs]

    def _collect(self, number: int, at: float, value: float) -> None:
        """The first runs make the level."""
        self.baseline.add(hour_of(at), value, 0.0)
        self.seen.append(number, at, value, 0.0, counts=True)
        if len(self.seen) >= ENOUGH:
            self.baseline.begin(self.baseline.level + midmean(self._from_baseline()))
            self.since_change = SETTLED
            self._look_again()
            self.clear()

    def _look_again(self) -> None:
        self._compare_again()
        self._learn()

    def _learn(self) -> None:
        self._learned = self.runs
        counts = self.seen.counts()
        hours = [int(at // HOUR) for at in compress(self.seen.ats(), counts)]
        around = self.baseline.around()
        if around:
            apart = self._apart(hours, compress(self.seen.values(), counts), around)
        else:
            apart = [*compress(self.seen.residuals(), counts)]
        unsure = {hour: self.baseline.unsure(hour) for hour in {*hours}}
        sure = [_sure(by, unsure[hour]) for hour, by in zip(hours, apart, strict=True)]
        self.noise = estimate(apart, sure, self.baseline.strays(around), self._threshold)

    def _apart(self, hours: Sequence[int], values: Iterable[float], around: Mapping[int, float]) -> list[float]:
        """How far runs were from the level around them: not from what was estimated as the level at the time.

        Else a level that wanders would be a row of changes, and scatter around each of them as little as if it did not.
        """
        last = around[max(around)]
        usual = {hour: (self.baseline.usual(hour), around.get(hour, last)) for hour in {*hours}}
        of_runs = zip(values, map(usual.__getitem__, hours), strict=True)
        return [value - rhythm - level for value, (rhythm, level) in of_runs]

    def _weigh(self, number: int, noise: Noise, cell: int) -> None:
        """What a run in that cell says for each shift."""
        sums = self._sums
        for index, table in enumerate(noise.tables):
            now = sums[index] + table[cell]
            if now <= 0.0:
                sums[index] = 0.0
            else:
                if sums[index] == 0.0:
                    self._onsets[index] = number
                sums[index] = now


def _sure(residual: float, unsure: float) -> float:
    """What of it is no mistake of the baseline."""
    return residual - unsure if residual > unsure else residual + unsure if residual < -unsure else 0.0
