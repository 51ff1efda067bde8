"""The last day of a series: its waits, the share within the objective, and what a sparkline is drawn of."""

from collections.abc import Sequence
from dataclasses import dataclass

from probe.measures import TRUSTED
from probe.recent import ATTEMPTS, Run
from probe.report.sample import quantile
from probe.timestamps import NS_PER_DAY, NS_PER_S

SLOT_NS = 15 * 60 * NS_PER_S
SLOTS = NS_PER_DAY // SLOT_NS


@dataclass(frozen=True, slots=True)
class Slot:
    """15 minutes: the median wait (first byte) of the runs that can be trusted, None where there was none."""

    wait_ms: float | None
    runs: int
    failed: int
    slow: int


@dataclass(frozen=True, slots=True)
class Day:
    """The last 24 hours: `within` is the share of attempts within the objective; waits are to the first byte."""

    runs: int
    attempts: int
    within: float | None
    median_ms: float | None
    p95_ms: float | None
    slots: tuple[Slot, ...]


def day(runs: Sequence[Run], now: int) -> Day:
    """The 24 hours before `now`, of runs that may reach back further."""
    runs = [run for run in runs if run[0] >= now - NS_PER_DAY]
    waits = sorted(wait for _, how, wait in runs if how in TRUSTED and wait is not None)
    attempts = sum(how in ATTEMPTS for _, how, _ in runs)
    within = sum(how == "ok" for _, how, _ in runs) / attempts if attempts else None
    middle, high = (quantile(waits, share) if waits else None for share in (0.5, 0.95))
    return Day(len(runs), attempts, within, middle, high, _slots(runs, now))


def _slots(runs: Sequence[Run], at: int) -> tuple[Slot, ...]:
    """Whole quarters of an hour, the last of which is not over."""
    end = (at // SLOT_NS + 1) * SLOT_NS
    slots: list[list[Run]] = [[] for _ in range(SLOTS)]
    for run in runs:
        place = SLOTS - 1 - (end - 1 - run[0]) // SLOT_NS
        if 0 <= place < SLOTS:
            slots[place].append(run)
    return tuple(map(_slot, slots))


def _slot(runs: Sequence[Run]) -> Slot:
    if not runs:
        return _EMPTY
    waits = sorted(wait for _, how, wait in runs if how in TRUSTED and wait is not None)
    outcomes = [how for _, how, _ in runs]
    return Slot(quantile(waits, 0.5) if waits else None, len(runs), outcomes.count("failed"), outcomes.count("slow"))


_EMPTY = Slot(None, 0, 0, 0)
