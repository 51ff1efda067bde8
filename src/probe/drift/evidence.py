"""The evidence that one stage is not what it was: sums of log-likelihood ratios, for several sizes of shift, both ways.

Each sum starts again when it falls below zero (Page's CUSUM). For independent runs that obey the density they were
learned from, one of them comes to h by chance once in e^h runs at most, whatever the density.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from probe.drift.baseline import HOUR, Baseline, midmean
from probe.drift.noise import SHIFTS, Noise, Restless, estimate
from probe.drift.ring import Ring, Seen

# Runs before anything can be said.
ENOUGH = 60
# What the noise is learned from; the first day as often as that, then once a day, if one in so many runs is new.
RING = 2880
_LEARN_AT = (120, 240, 480, 960)
_ONE_IN = 30
# On the first day it takes twice the evidence, and no more than later after so many.
_DAYS = 8
_A_DAY_S = 86_400
# What may be contention is so much of the threshold at most, until it counts: ten such runs are no alarm.
_MAY_BE = 0.045
# When a new level is looked at again after a change, in runs since.
SETTLE_AT = (12, 20, 40, 80, 120)
SETTLED = SETTLE_AT[-1]
# Until then it is not known well enough to distinguish such a shift from it: by table, in runs.
_NEEDED = [SETTLED, SETTLED, 40, 40, 20, 20, 12, 12, 0, 0]
_SUMS = 2 * len(SHIFTS)


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
        self._may_be = _MAY_BE * threshold
        self._sums = [0.0] * _SUMS
        self._onsets = [0] * _SUMS
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
        unknown = self.baseline.rhythm is None
        if self.baseline.add(at, value if counts else None, noise.sigma**2 * noise.nearby):
            self._days = min(_DAYS, self._days + 1)
            if unknown:
                self._look_again()
            elif self.runs - self._learned >= len(self.seen) / _ONE_IN:
                self._learn()
        residual = value - self.baseline.expected(at)
        self.seen.append(seen := Seen(number, at, value, residual, counts))
        if self.runs in _LEARN_AT:
            self._learn()
        gains = self._gains(noise, seen, self._restless.scale(value, noise.sigma, noise.step))
        self._weigh(number, gains if counts else [min(each, self._may_be) for each in gains])
        if self._changed is not None and self.since_change in SETTLE_AT:
            self._settle(self._changed)

    def count(self, since: int) -> None:
        """The runs from that number on count after all."""
        for index in range(len(self.seen) - len(self.since(since)), len(self.seen)):
            each = self.seen[index]
            if self.noise and not each.counts:
                self.seen[index] = each._replace(counts=True)
                gains = self._gains(self.noise, each)
                self._weigh(each.number, [max(0.0, gain - self._may_be) for gain in gains])

    def strongest(self) -> float:
        if self.noise is None or max(self._sums) < self._threshold:
            return 0.0
        known = (each for each, runs in zip(self._sums, _NEEDED, strict=True) if self.since_change >= runs)
        return max(known, default=0.0) / (self._threshold * self.patience)

    @property
    def patience(self) -> float:
        """How many times as much evidence as in the end it takes by now: of few days little is known."""
        return 2 - self._days / _DAYS

    def onset(self) -> int:
        """The number of the run since which the strongest evidence has been growing."""
        return self._onsets[self._sums.index(max(self._sums))]

    def since(self, number: int) -> list[Seen]:
        """The runs from that number on."""
        found = []
        for each in reversed(self.seen):
            if each.number < number:
                break
            found.append(each)
        return found[::-1]

    def forget(self) -> None:
        """What is known is about something else now; only the rhythm of the day stays."""
        self.seen.clear()
        self.noise = self._changed = None
        self.runs = self.since_change = self._learned = 0
        self.baseline.forget_level()

    def clear(self) -> None:
        """Set all sums to zero."""
        self._sums = [0.0] * _SUMS

    def change(self, since: int, by: float) -> None:
        """The level has changed by so much with the run of that number."""
        before, now = self._changed, self.seen[-1].at
        if before is not None and now - before.at < _A_DAY_S and by * before.by < 0:
            is_back = abs(self.baseline.level + by - before.level) < abs(before.by) / 4
            if is_back and self.since_change < before.held:
                self._undo(before)
                return
        self._changed = Changed(since, by, now, self.baseline.level, self.baseline.since, self.since_change)
        self._rebase(since, -by)
        self.since_change = len(self.since(since))
        self.baseline.shift(by, self.since_change)
        self.clear()

    def _undo(self, before: Changed) -> None:
        """It went as it came, so it was no change of the level."""
        self._changed = None
        self.since_change += before.held
        self.baseline.undo(-before.by, before.level, before.level_since)
        for index in range(len(self.seen) - len(self.since(before.since)), len(self.seen)):
            each = self.seen[index]
            self.seen[index] = each._replace(residual=each.value - self.baseline.expected(each.at))
        self.clear()
        self._learn()

    def _settle(self, changed: Changed) -> None:
        """More runs since the change say more precisely what the new level is."""
        more = midmean(each.residual for each in self.since(changed.since))
        changed.by += more
        self._rebase(changed.since, -more)
        self.baseline.correct(more)
        self.clear()

    def _rebase(self, first: int, by: float) -> None:
        for index in range(len(self.seen) - 1, -1, -1):
            each = self.seen[index]
            if each.number < first:
                break
            self.seen[index] = each._replace(residual=each.residual + by)

    def _collect(self, number: int, at: float, value: float) -> None:
        """The first runs make the level."""
        self.baseline.add(at, value, 0.0)
        self.seen.append(Seen(number, at, value, 0.0, counts=True))
        if len(self.seen) >= ENOUGH:
            usual = (each.value - self.baseline.expected(each.at) for each in self.seen)
            self.baseline.begin(self.baseline.level + midmean(usual))
            self.since_change = SETTLED
            self._look_again()
            self.clear()

    def _look_again(self) -> None:
        for index, each in enumerate(self.seen):
            self.seen[index] = each._replace(residual=each.value - self.baseline.expected(each.at))
        self._learn()

    def _learn(self) -> None:
        self._learned = self.runs
        runs = self._apart()
        sure = [self._sure(at, by) for at, by in runs]
        self.noise = estimate([by for _, by in runs], sure, self.baseline.strays(), self._threshold)

    def _apart(self) -> list[tuple[float, float]]:
        """When runs were, and how far from the level around them: not from what was estimated as the level at the time.

        Else a level that wanders would be a row of changes, and scatter around each of them as little as if it did not.
        """
        runs = [each for each in self.seen if each.counts]
        levels = {} if self.baseline.rhythm is None else self.baseline.around()
        if not levels:
            return [(each.at, each.residual) for each in runs]
        last = levels[max(levels)]
        usual = self.baseline.usual
        return [(each.at, each.value - usual(each.at) - levels.get(int(each.at // HOUR), last)) for each in runs]

    def _sure(self, at: float, residual: float) -> float:
        """What of it is no mistake of the baseline."""
        unsure = self.baseline.unsure(at)
        return residual - unsure if residual > unsure else residual + unsure if residual < -unsure else 0.0

    def _gains(self, noise: Noise, seen: Seen, scale: float = 1.0) -> list[float]:
        cell = noise.cell(self._sure(seen.at, seen.residual) / scale)
        return [table[cell] for table in noise.tables]

    def _weigh(self, number: int, gains: Sequence[float]) -> None:
        sums = self._sums
        for index, gain in enumerate(gains):
            now = sums[index] + gain
            if now <= 0.0:
                sums[index] = 0.0
            else:
                if sums[index] == 0.0:
                    self._onsets[index] = number
                sums[index] = now
