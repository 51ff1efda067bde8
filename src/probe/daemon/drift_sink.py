"""Watches every series for drift, and reports it: gauges, a log line, and (`found_with`) an event of the run's span.

Each run is looked at once, in the order in which the history keeps them: the state after a restart is then the same.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

from probe.daemon.beside_drift import BesideDrift
from probe.daemon.log import Logger
from probe.drift import Change, Monitor, Shift, Verdict
from probe.drift.series import point
from probe.drift.state import Kept, encode
from probe.drift.wording import plain
from probe.record import RunRecord
from probe.timestamps import NS_PER_S

# A detector is saved after so many runs, or so long: as much is looked at again, at most, after a crash or by a reader.
SAVED_EVERY = 240
_SAVED_AFTER_NS = 3 * 3600 * NS_PER_S
# Changes that are known by the run that they were found with, of each series.
_MOST_FOUND = 200
# While a series is rebuilt so many of its runs are known by their id, to report what is found with them.
_MOST_UNREPORTED = 1000


class DriftSink:
    """Every method may be called from any thread.

    `new_monitor` makes the detector of a series, `update` is given each verdict by target and scenario, `count` each
    change that is new, `save` now and then the bytes of a series' detector (`drift.state`). `beside` knows what else
    changed.
    """

    name = "drift"

    def __init__(
        self,
        new_monitor: Callable[[], Monitor],
        update: Callable[[str, str, Verdict], None],
        count: Callable[[str, str, Shift], None],
        logger: Logger,
        save: Callable[[str, str, bytes], None] = lambda *_: None,
        beside: BesideDrift | None = None,
    ) -> None:
        self._new_monitor = new_monitor
        self._update = update
        self._count = count
        self._logger = logger
        self._save = save
        self._beside = beside or BesideDrift(lambda *_: (), lambda *_: None, lambda _: None)
        self._lock = threading.Lock()
        self._monitors: dict[tuple[str, str], Monitor] = {}
        self._found: dict[tuple[str, str], dict[str, Change]] = {}
        # The last run that each detector has seen, and how many since it was saved.
        self._seen: dict[tuple[str, str], tuple[str, int]] = {}
        # The start of the first run that was written since then.
        self._unsaved_since: dict[tuple[str, str], int] = {}
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

    def show(self, target: str, scenario: str, verdict: Verdict) -> None:
        """Say how things stood with a series that is not rebuilt yet."""
        self._update(target, scenario, verdict)

    def take_over(self, target: str, scenario: str, rebuilt: Kept, unsaved: int) -> None:
        """Have a series' detector, which has seen all that the history holds, `unsaved` of it since it was saved.

        Of changes, those are reported now that were found with runs of this process.
        """
        with self._lock:
            self._monitors[target, scenario] = rebuilt.monitor
            found = self._found[target, scenario] = _last(rebuilt.found)
            self._seen[target, scenario] = rebuilt.last_run, unsaved
            verdict = self._reported[target, scenario] = rebuilt.monitor.verdict()
            unreported = self._rebuilding.pop((target, scenario), ())
        self._update(target, scenario, verdict)
        for run_id in unreported:
            self._report(target, scenario, run_id, found.get(run_id))

    def forget(self, target: str, scenario: str) -> None:
        """Begin a series again with a new monitor."""
        with self._lock:
            self._monitors[target, scenario] = self._new_monitor()
            for known in (self._reported, self._found, self._seen):
                known.pop((target, scenario), None)
            self._rebuilding.pop((target, scenario), None)

    def look(self, record: RunRecord) -> None:
        """Take a new run, once and in order."""
        with self._lock:
            if (series := _series(record)) in self._rebuilding:
                return
            new = point(record)
            found = self._monitor(*series).add(new)
            self._seen[series] = new.run_id, self._seen.get(series, ("", 0))[1] + 1
            if found is not None:
                self._found[series] = _last(self._found.get(series, {}) | {new.run_id: found})

    def found_with(self, run_id: str) -> Change | None:
        """The change that was found with this run; None if there was none."""
        with self._lock:
            return next((found[run_id] for found in self._found.values() if run_id in found), None)

    def beside(self, record: RunRecord, found: Change | None) -> Sequence[str]:
        """What changed at the same time as what was found with a run."""
        return self._beside.names(*_series(record), found)

    def write(self, record: RunRecord) -> None:
        """Report the verdict with this run, and the change that was found with it."""
        (target, scenario), run_id = _series(record), record.plan.run_id
        with self._lock:
            if (target, scenario) in self._rebuilding:
                self._rebuilding[target, scenario].append(run_id)
                return
            verdict = self._monitor(target, scenario).verdict()
            found = self._found.get((target, scenario), {}).get(run_id)
            before = self._reported.get((target, scenario))
            self._reported[target, scenario] = verdict
        self._update(target, scenario, verdict)
        self._report(target, scenario, run_id, found)
        self._beside.follow(target, scenario, verdict)
        if (ended := _ended(before, verdict)) is not None:
            self._log(target, scenario, run_id).info("drift is over", **plain(ended))
        if self._is_due(record):
            self._save_now(target, scenario)

    def close(self, timeout_s: float) -> None:
        """Save what has seen a run since it was saved, as far as there is time for it.

        Raises OSError once it has tried all of them: a file that can't be written is no reason to lose the others.
        """
        until = time.monotonic() + timeout_s / 2
        with self._lock:
            series = list(self._monitors)
        unsaved: list[OSError] = []
        for each in series:
            if time.monotonic() < until:
                try:
                    self._save_now(*each)
                except OSError as error:
                    unsaved.append(error)
        if unsaved:
            raise OSError(f"the state of {len(unsaved)} of {len(series)} series is not saved: {unsaved[0]}")

    def _is_due(self, record: RunRecord) -> bool:
        series = _series(record)
        with self._lock:
            since = record.started - self._unsaved_since.setdefault(series, record.started)
            return self._seen.get(series, ("", 0))[1] >= SAVED_EVERY or since >= _SAVED_AFTER_NS

    def _save_now(self, target: str, scenario: str) -> None:
        """Save a detector that has seen a run since. Raises OSError; `close` tries again then."""
        series = target, scenario
        with self._lock:
            last_run, unsaved = self._seen.get(series, ("", 0))
            if not unsaved or series in self._rebuilding:
                return
            self._seen[series] = last_run, 0
            self._unsaved_since.pop(series, None)
            data = encode(series, Kept(last_run, self._monitors[series], self._found.get(series, {})))
        try:
            self._save(target, scenario, data)
        except OSError:
            with self._lock:
                last_run, unsaved = self._seen[series]
                self._seen[series] = last_run, unsaved + 1
            raise

    def _report(self, target: str, scenario: str, run_id: str, found: Change | None) -> None:
        log = self._log(target, scenario, run_id)
        if isinstance(found, Shift):
            self._count(target, scenario, found)
            log.warning("drift", **plain(found, self._beside.names(target, scenario, found)))
        elif found is not None:
            log.warning("model, voice or settings have changed", **plain(found))

    def _log(self, target: str, scenario: str, run_id: str) -> Logger:
        return self._logger.bind(run_id=run_id, target=target, scenario=scenario)

    def _monitor(self, target: str, scenario: str) -> Monitor:
        if (target, scenario) not in self._monitors:
            self._monitors[target, scenario] = self._new_monitor()
        return self._monitors[target, scenario]


def _last(found: Mapping[str, Change]) -> dict[str, Change]:
    return dict([*found.items()][-_MOST_FOUND:])


def _series(record: RunRecord) -> tuple[str, str]:
    return record.plan.target.name, record.plan.scenario.name


def _ended(before: Verdict | None, now: Verdict) -> Shift | None:
    """The change that has gone since, if one has."""
    if before is None or before.drift is None or now.drift is not None:
        return None
    since = before.drift.since
    ended = (each for each in now.changes if isinstance(each, Shift) and each.since == since and each.until is not None)
    return next(ended, None)
