"""Has each series' drift detector where it was before a restart: from its saved state and the runs since then.

Without a saved state that this version can use, from the history. All of this while measuring: runs of a series that is
not rebuilt yet wait in the history, and are taken from there in their order.
"""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from probe import garbage
from probe.daemon.drift_sink import SAVED_EVERY, DriftSink
from probe.daemon.history_drift import WatchedHistory
from probe.drift import Monitor
from probe.drift.state import Kept
from probe.history.drift_states import DriftStates, goes_on_after
from probe.history.reader import HistoryReader, reading
from probe.timestamps import NS_PER_DAY

# How much of the past makes up the state of the present: after this, nothing of it is left in there.
REBUILT_DAYS = 35
# At one run per minute, all of these days; so many take some ten seconds.
REBUILT_RUNS = REBUILT_DAYS * 1440
# After each page of the history it rests, so many times as long as that took: the unit's quota is one core, and a
# service that uses it up stands still, runs included.
_REST = 1.0


class Rebuild:
    """Rebuilds these series (target and scenario), one after the other, in a thread that is at work half of the time.

    `new_monitor` makes the detector of a series; one whose past can't be read, or breaks its detector, starts again,
    and `on_error(sink, what)` is called. `on_rebuilt` is called after each series.
    """

    def __init__(
        self,
        state_dir: Path,
        drift: DriftSink,
        history: WatchedHistory,
        new_monitor: Callable[[], Monitor],
        series: Sequence[tuple[str, str]],
        *,
        on_error: Callable[[str, str], None],
        on_rebuilt: Callable[[], None],
    ) -> None:
        self._state_dir = state_dir
        self._drift = drift
        self._history = history
        self._new_monitor = new_monitor
        self._states = DriftStates(state_dir)
        self._series = series
        self._on_error = on_error
        self._on_rebuilt = on_rebuilt
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="drift-rebuild", daemon=True)
        drift.begin_rebuilding(series)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Leave what is not rebuilt yet; a page of the history takes some milliseconds."""
        self._stop.set()

    def join(self, timeout_s: float) -> None:
        """Wait for its end, where it was started."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _work(self) -> None:
        self._states.forget_old()
        since = time.time_ns() - REBUILT_DAYS * NS_PER_DAY
        for target, scenario in self._series:
            if self._stop.is_set():
                return
            try:
                with reading(self._state_dir) as reader:
                    self._resume(reader, target, scenario, since)
            except Exception as error:  # noqa: BLE001 - an instrument that stops for its past measures nothing
                self._drift.forget(target, scenario)
                self._on_error(self._drift.name, f"{target}/{scenario} starts again: {type(error).__name__}: {error}")
            # What is rebuilt stays.
            garbage.freeze()
            self._on_rebuilt()

    def _resume(self, reader: HistoryReader, target: str, scenario: str, since: int) -> None:
        """From where it was saved, else from the history."""
        try:
            saved = self._states.load(target, scenario)
            if saved is not None and saved.monitor.settings == self._new_monitor().settings:
                after = goes_on_after(reader, target, scenario, saved)
                if after is not None:
                    self._drift.show(target, scenario, saved.monitor.verdict())
                    self._take(_Past(reader, target, scenario, 0, saved, after), 0)
                    return
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the history has all of it
            self._on_error(self._drift.name, f"{target}/{scenario}: its saved state is not used: {error}")
        begun = Kept("", self._new_monitor(), {})
        after = reader.before(target, scenario, REBUILT_RUNS)
        self._take(_Past(reader, target, scenario, since, begun, after), SAVED_EVERY)

    def _take(self, past: "_Past", unsaved: int) -> None:
        began = time.monotonic()
        while past.take_page():
            if self._stop.wait(_REST * (time.monotonic() - began)):
                return
            began = time.monotonic()
        with self._history.standing_still():
            while past.take_page():
                pass
            self._drift.take_over(*past.series, past.kept(), unsaved + past.runs)


class _Past:
    """What a series' detector makes of the runs after one of this number, page by page."""

    def __init__(self, reader: HistoryReader, target: str, scenario: str, since: int, begun: Kept, after: int) -> None:
        self.series = target, scenario
        # So many it has taken.
        self.runs = 0
        self._monitor = begun.monitor
        self._found = dict(begun.found)
        self._last_run = begun.last_run
        self._reader = reader
        self._since = since
        self._seq = after

    def take_page(self) -> bool:
        """Take the next runs; False where there are none."""
        rows = self._reader.page(*self.series, self._since, self._seq)
        for seq, point in rows:
            self._seq = seq
            if point is None:
                continue
            self.runs += 1
            self._last_run = point.run_id
            if (change := self._monitor.add(point)) is not None:
                self._found[point.run_id] = change
        return bool(rows)

    def kept(self) -> Kept:
        return Kept(self._last_run, self._monitor, self._found)
