"""A cache of what the pages show, for all requests of this process: read again when a run has finished."""

import threading
import time
from contextlib import suppress
from pathlib import Path

from probe.drift import Verdict
from probe.history.file import HistoryError
from probe.history.reader import reading
from probe.overview import Overview
from probe.report.now import Now
from probe.web.page import Asked

# The first look at very many detectors goes on with the next ones.
_JUDGING_S = 0.05
_MOST_WARMING, _REST_S = 500, 0.005


class Kept:
    """Requests look at it one after the other. Every method raises HistoryError."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._overview = Overview()

    def warm(self, state_dir: Path) -> None:
        """Do beforehand what takes long at the first look; where the history can't be read, a page will say so."""
        with suppress(HistoryError, OSError), reading(state_dir) as reader:
            for _ in range(_MOST_WARMING):
                with self._lock:
                    self._overview.look(reader, time.time_ns())
                    if self._overview.judge(reader, _JUDGING_S):
                        return
                # A page that is asked for meanwhile comes in between.
                time.sleep(_REST_S)

    def now(self, asked: Asked) -> Now:
        """The present state of every target."""
        with self._lock:
            self._look(asked)
            self._overview.judge(asked.reader, _JUDGING_S)
            return self._overview.now(asked.now)

    def verdict(self, asked: Asked, series: tuple[str, str]) -> Verdict | None:
        """The daemon's verdict on drift, as of the last run; None where the daemon has saved none."""
        with self._lock:
            self._look(asked)
            self._overview.judge(asked.reader, _JUDGING_S, series)
            return self._overview.verdicts.get(series)

    def _look(self, asked: Asked) -> None:
        self._overview.next_runs = asked.settings.next_runs
        self._overview.look(asked.reader, asked.now)


KEPT = Kept()
