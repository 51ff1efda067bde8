"""Watches every series for drift, and reports it: gauges, a log line, and (`found_with`) an event of the run's span.

Each run is looked at once, in the order in which the history keeps them: the state after a restart is then the same.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from probe.daemon.log import Logger
from probe.drift import Change, Monitor, Shift, Verdict
from probe.drift.series import point
from probe.drift.wording import plain
from probe.record import RunRecord

# While a series is rebuilt so many of its runs are known by their id, to report what is found with them.
_MOST_UNREPORTED = 1000


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
        # The series that are being rebuilt, and the runs of each that have been kept meanwhile.
        self._rebuilding: dict[tuple[str, str], deque[str]] = {}
        # The verdict that was reported last of each series.
        self._reported: dict[tuple[str, str], Verdict] = {}

    def begin_rebuilding(self, series: Iterable[tuple[str, str]]) -> None:
        """Leave these series' runs in the history, unlooked at, until `take_over` or `forget`."""
        with self._lock:
            self._rebuilding |= {each: deque(maxlen=_MOST_UNREPORTED) for each in series}

    def is_rebuilding(self, record: RunRecord) -> bool:
        with self._lock:
            return _series(record) in self._rebuilding

    def take_over(self, target: str, scenario: str, rebuilt: Monitor, found: Mapping[str, Change]) -> None:
        """Have a series' detector, which has seen all that the history holds, and what it found with runs by their id.

        Of changes, those are reported now that were found with runs of this process.
        """
        with self._lock:
            self._monitors[target, scenario] = rebuilt
            self._found |= found
            verdict = self._reported[target, scenario] = rebuilt.verdict()
            unreported = self._rebuilding.pop((target, scenario), ())
        self._update(target, scenario, verdict)
        for run_id in unreported:
            self._report(target, scenario, run_id, found.get(run_id))

    def forget(self, target: str, scenario: str) -> None:
        """Begin a series again with a new monitor."""
        with self._lock:
            self._monitors[target, scenario] = self._new_monitor()
            self._reported.pop((target, scenario), None)
            self._rebuilding.pop((target, scenario), None)

    def look(self, record: RunRecord) -> None:
        """Take a new run, once and in order."""
        with self._lock:
            if (series := _series(record)) in self._rebuilding:
                return
            new = point(record)
            found = self._monitor(*series).add(new)
            if found is not None:
                self._found[new.run_id] = found

    def found_with(self, run_id: str) -> Change | None:
        """The change that was found with this run; None if there was none."""
        with self._lock:
            return self._found.get(run_id)

    def write(self, record: RunRecord) -> None:
        """Report the verdict with this run, and the change that was found with it."""
        (target, scenario), run_id = _series(record), record.plan.run_id
        with self._lock:
            if (target, scenario) in self._rebuilding:
                self._rebuilding[target, scenario].append(run_id)
                return
            verdict = self._monitor(target, scenario).verdict()
            found = self._found.get(run_id)
            before = self._reported.get((target, scenario))
            self._reported[target, scenario] = verdict
        self._update(target, scenario, verdict)
        self._report(target, scenario, run_id, found)
        if (ended := _ended(before, verdict)) is not None:
            self._log(target, scenario, run_id).info("drift is over", **plain(ended))

    def close(self, timeout_s: float) -> None:
        """Nothing is held back."""

    def _report(self, target: str, scenario: str, run_id: str, found: Change | None) -> None:
        log = self._log(target, scenario, run_id)
        if isinstance(found, Shift):
            self._count(target, scenario, found)
            log.warning("drift", **plain(found))
        elif found is not None:
            log.warning("model, voice or settings have changed", **plain(found))

    def _log(self, target: str, scenario: str, run_id: str) -> Logger:
        return self._logger.bind(run_id=run_id, target=target, scenario=scenario)

    def _monitor(self, target: str, scenario: str) -> Monitor:
        if (target, scenario) not in self._monitors:
            self._monitors[target, scenario] = self._new_monitor()
        return self._monitors[target, scenario]


def _series(record: RunRecord) -> tuple[str, str]:
    return record.plan.target.name, record.plan.scenario.name


def _ended(before: Verdict | None, now: Verdict) -> Shift | None:
    """The change that has gone since, if one has."""
    if before is None or before.drift is None or now.drift is not None:
        return None
    since = before.drift.since
    ended = (each for each in now.changes if isinstance(each, Shift) and each.since == since and each.until is not None)
    return next(ended, None)
