"""A span of time of one target and scenario, folded as its runs are read: counts, and the wait hour by hour."""

from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from probe.drift.series import Point
from probe.measures import TRUSTED
from probe.record import Outcome
from probe.report.sample import quantile
from probe.timestamps import NS_PER_S

# Slots of time, in hours; the shortest that makes no more than so many of them is taken.
_HOURS = (1, 2, 3, 6, 12, 24, 48, 7 * 24, 28 * 24)
_MOST_SLOTS = 240
_NS_PER_HOUR = 3600 * NS_PER_S
# What counts as an attempt: the share within the objective is that of `ok` among them.
ATTEMPTS: tuple[Outcome, ...] = ("ok", "slow", "failed")


@dataclass(slots=True)
class Slot:
    """Some hours: since when (epoch nanoseconds), how many runs ended how, and the first bytes' waits in ms."""

    since: int
    outcomes: dict[str, int] = field(default_factory=dict)
    waits: "array[float]" = field(default_factory=lambda: array("d"))

    @property
    def attempts(self) -> int:
        return sum(self.outcomes.get(each, 0) for each in ATTEMPTS)

    @property
    def missed(self) -> int:
        """Attempts that were not within the objective."""
        return self.attempts - self.outcomes.get("ok", 0)

    def wait(self, share: float) -> float | None:
        return quantile(sorted(self.waits), share) if self.waits else None


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` to `until`. `cold` runs are in the counts, and in no wait: a model was loaded for them."""

    since: int
    until: int
    hours: int
    slots: Mapping[int, Slot]
    cold: int

    @property
    def outcomes(self) -> Mapping[str, int]:
        found: dict[str, int] = {}
        for slot in self.slots.values():
            for name, count in slot.outcomes.items():
                found[name] = found.get(name, 0) + count
        return found

    @property
    def within(self) -> float | None:
        """The share within the objective; None without an attempt."""
        attempts = sum(slot.attempts for slot in self.slots.values())
        return 1 - sum(slot.missed for slot in self.slots.values()) / attempts if attempts else None

    def wait(self, share: float) -> float | None:
        """Of all runs."""
        waits = sorted(each for slot in self.slots.values() for each in slot.waits)
        return quantile(waits, share) if waits else None

    def worst(self, most: int) -> Iterator[Slot]:
        """Those with the largest share outside the objective, where any is; of those alike the first."""
        bad = [slot for slot in self.slots.values() if slot.missed]
        yield from sorted(bad, key=lambda slot: (-slot.missed / slot.attempts, -slot.missed, slot.since))[:most]


def fold(points: Iterable[Point], since: int, until: int) -> Period:
    """Go through the points once; of each run nothing is kept but its wait. Those outside of the time are left out."""
    hours = next((each for each in _HOURS if (until - since) / (each * _NS_PER_HOUR) <= _MOST_SLOTS), _HOURS[-1])
    length = hours * _NS_PER_HOUR
    slots: dict[int, Slot] = {}
    cold = 0
    for each in points:
        if not since <= each.started <= until:
            continue
        begin = each.started // length * length
        slot = slots.setdefault(begin, Slot(begin))
        slot.outcomes[each.outcome] = slot.outcomes.get(each.outcome, 0) + 1
        cold += each.cold
        wait = each.stages_ms[0]
        if each.outcome in TRUSTED and not each.cold and wait is not None:
            slot.waits.append(wait)
    return Period(since, until, hours, dict(sorted(slots.items())), cold)
