"""Detectors on disk, a file for each series, in the folder `drift` of the state directory.

`detector` is for who wants to know what the daemon makes of a series, without going through its past.
"""

import hashlib
import time
from contextlib import suppress
from pathlib import Path

from probe.drift import Monitor
from probe.drift.state import MOST_BYTES, Kept, StateError, decode
from probe.history.private import replace
from probe.history.reader import HistoryReader
from probe.waits import WAITS

FOLDER = "drift"
_SUFFIX = ".state"
# The state of a series that nobody has measured for so long is of no use.
_FORGOTTEN_AFTER_S = 90 * 86_400


class DriftStates:
    """Every method may be called from any thread; a file is replaced as a whole, or stays as it was."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / FOLDER

    def save(self, target: str, scenario: str, data: bytes) -> None:
        """Keep what `encode` made of a series' detector. Raises OSError."""
        replace(self._path(target, scenario), data)

    def load(self, target: str, scenario: str) -> Kept | None:
        """What was saved of a series, None where nothing was. Raises StateError, and OSError."""
        try:
            with self._path(target, scenario).open("rb") as file:
                data = file.read(MOST_BYTES + 1)
        except FileNotFoundError:
            return None
        if len(data) > MOST_BYTES:
            raise StateError("too large")
        return decode(data, (target, scenario))

    def saved_at(self, target: str, scenario: str) -> int | None:
        """When the state of a series was saved (nanoseconds since the epoch); None where none was, or nobody knows."""
        try:
            return self._path(target, scenario).stat().st_mtime_ns
        except OSError:
            return None

    def forget_old(self) -> None:
        """Remove what has not been saved for long. A file that can't be removed stays."""
        with suppress(OSError):
            for path in self._folder.iterdir():
                if path.stat().st_mtime < time.time() - _FORGOTTEN_AFTER_S:
                    path.unlink()

    def _path(self, target: str, scenario: str) -> Path:
        # A name may hold anything, and be of any length.
        name = hashlib.sha256(f"{target}\0{scenario}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return self._folder / f"{name}{_SUFFIX}"


def detector(reader: HistoryReader, target: str, scenario: str) -> Monitor | None:
    """The daemon's detector of a series, as of the last run that the history has: `verdict()` says how things stand.

    It is read from the saved state (10 ms) and takes the runs since then (0.1 ms each; no more than some hundred while
    the daemon is at work). None where no state was saved, where it can't be read or is of another version, and where
    the history doesn't have the run any more that it ends with: then only the whole past says how things stand. Raises
    HistoryError.
    """
    found = saved(reader, target, scenario)
    if found is None:
        return None
    monitor, seq = found
    catch_up(reader, target, scenario, monitor, seq)
    return monitor


def saved(reader: HistoryReader, target: str, scenario: str) -> tuple[Monitor, int] | None:
    """The detector as it was saved, and the number of the last run that it has seen. As of `detector`."""
    try:
        kept = DriftStates(reader.path.parent).load(target, scenario)
    except (StateError, OSError):
        return None
    seq = None if kept is None else goes_on_after(reader, target, scenario, kept)
    return None if kept is None or seq is None else (kept.monitor, seq)


def goes_on_after(reader: HistoryReader, target: str, scenario: str, kept: Kept) -> int | None:
    """The number of the last run that a saved detector has seen. Raises HistoryError.

    None where the history doesn't have that run any more, and where the detector watches other stages than those that
    it consists of: before it knew of targets that hear, it watched what comes after the question.
    """
    found = reader.place_of(target, scenario, kept.last_run)
    if found is None:
        return None
    seq, last = found
    return seq if last is None or WAITS[last.asked] == kept.monitor.stages else None


def catch_up(reader: HistoryReader, target: str, scenario: str, monitor: Monitor, seq: int) -> int:
    """Have a detector see the runs after this number; returns that of the last one. Raises HistoryError."""
    while rows := reader.page(target, scenario, 0, seq):
        for _, point in rows:
            if point is not None:
                monitor.add(point)
        seq = rows[-1][0]
    return seq
