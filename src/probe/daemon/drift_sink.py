"""Watches every series for drift, and reports it: gauges, a log line, and (`found_with`) an event of the run's span.

Each run is looked at once, in the order in which the history keeps them: the state after a restart is then the same.
"""

import threading
from collections.abc import Callable, Iterable

from probe.daemon.log import Logger
from probe.drift import Change, Monitor, Shift, Verdict
from probe.drift.series import Point, point
from probe.drift.wording import plain
from probe.record import RunRecord

# How much of the past makes up the state of the present: after this, nothing of it is left in there.
REBUILT_DAYS = 30
# Of a run a minute, all that a baseline reaches back to; a start takes half a second of CPU for so many.
REBUILT_RUNS = 12_000


class DriftSink:
    """Every method may be called from any thread.

    `new_monitor` makes the detector of a series, `update` is given each verdict by target and scenario, `count` each
    change that is new.
    """

    name = "drift"

    def __init__(
        self,
        new_monitor: Callable[[], Monitor],
        update: Callable[[str, str, Verdict], None],
        count: Callable[[str, str, Shift], None],
        logger: Logger,
    ) -> None:
        self._new_monitor = new_monitor
        self._update = update
        self._count = count
        self._logger = logger
        self._lock = threading.Lock()
        self._monitors: dict[tuple[str, str], Monitor] = {}
        self._found: dict[str, Change] = {}
        # The verdict that was reported last of each series.
        self._reported: dict[tuple[str, str], Verdict] = {}

    def restore(self, target: str, scenario: str, points: Iterable[Point]) -> None:
        """Take what the history holds of a series, oldest first: the state is then what it was."""
        with self._lock:
            monitor = self._monitor(target, scenario)
            for each in points:
                self._add(monitor, each)
            verdict = self._reported[target, scenario] = monitor.verdict()
        self._update(target, scenario, verdict)

    def forget(self, target: str, scenario: str) -> None:
        """Begin a series again with a new monitor."""
        with self._lock:
            self._monitors[target, scenario] = self._new_monitor()
            self._reported.pop((target, scenario), None)

    def look(self, record: RunRecord) -> None:
        """Take a new run, once and in order."""
        with self._lock:
            self._add(self._monitor(record.plan.target.name, record.plan.scenario.name), point(record))

    def found_with(self, run_id: str) -> Change | None:
        """The change that was found with this run, None where there was none."""
        with self._lock:
            return self._found.get(run_id)

    def write(self, record: RunRecord) -> None:
        """Report the verdict with this run, and the change that was found with it."""
        target, scenario = record.plan.target.name, record.plan.scenario.name
        with self._lock:
            verdict = self._monitor(target, scenario).verdict()
            found = self._found.get(record.plan.run_id)
            before = self._reported.get((target, scenario))
            self._reported[target, scenario] = verdict
        self._update(target, scenario, verdict)
        log = self._logger.bind(run_id=record.plan.run_id, target=target, scenario=scenario)
        if isinstance(found, Shift):
            self._count(target, scenario, found)
            log.warning("drift", **plain(found))
        elif found is not None:
            log.warning("what serves has changed", **plain(found))
        if (ended := _ended(before, verdict)) is not None:
            log.info("drift is over", **plain(ended))

    def close(self, timeout_s: float) -> None:
        """Nothing is held back."""

    def _add(self, monitor: Monitor, new: Point) -> None:
        found = monitor.add(new)
        if found is not None:
            self._found[new.run_id] = found

    def _monitor(self, target: str, scenario: str) -> Monitor:
        if (target, scenario) not in self._monitors:
            self._monitors[target, scenario] = self._new_monitor()
        return self._monitors[target, scenario]


def _ended(before: Verdict | None, now: Verdict) -> Shift | None:
    """The change that has gone since, if one has."""
    if before is None or before.drift is None or now.drift is not None:
        return None
    since = before.drift.since
    ended = (each for each in now.changes if isinstance(each, Shift) and each.since == since and each.until is not None)
    return next(ended, None)
