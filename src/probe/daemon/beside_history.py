"""What else changed with a change of a latency, from a history that is being written meanwhile."""

import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from probe.drift import Shift
from probe.drift.beside import Beside, around, beside, names
from probe.history.reader import HistoryReader, reading

# A change is the new normal after a week: at one run per minute, the runs of that week and some days before it.
_RUNS = 14_000
_PAGE = 50
# After each page it rests, so many times as long as that took: runs are measured meanwhile.
_REST = 1.0
# It takes some seconds; a disk that hangs is given up.
_LIMIT_S = 120.0

T = TypeVar("T")


class TooSlowError(Exception):
    """It took too long, or the daemon ends."""


def names_beside(state_dir: Path, ending: threading.Event, target: str, scenario: str, shift: Shift) -> tuple[str, ...]:
    """The names of what else changed, looked for until `ending` is set. Raises HistoryError and TooSlowError."""
    with reading(state_dir) as reader:
        return names(_found_beside(reader, ending, target, scenario, shift))


def _found_beside(reader: HistoryReader, ending: threading.Event, target: str, scenario: str, shift: Shift) -> Beside:
    """For a thread that has time."""
    pace = _Pace(ending)
    points = list(pace.restful(reader.points(target, scenario, limit=_RUNS)))
    wanted = [each.run_id for side in around(shift, points) for each in side]
    pages = (reader.circumstances(wanted[at : at + _PAGE]) for at in range(0, len(wanted), _PAGE))
    known = {each.run_id: each for page in pace.restful(pages, every=1) for each in page}
    return beside(shift, points, dict(sorted(known.items(), key=lambda item: item[1].started)))


class _Pace:
    """Rests in between, and ends in time."""

    def __init__(self, ending: threading.Event) -> None:
        self._ending = ending
        self._until = time.monotonic() + _LIMIT_S

    def restful(self, values: Iterable[T], every: int = 100) -> Iterator[T]:
        """The values. Raises TooSlowError."""
        began = time.monotonic()
        for number, value in enumerate(values, 1):
            if number % every == 0:
                if self._ending.wait(_REST * (time.monotonic() - began)):
                    raise TooSlowError("the daemon ends")
                began = time.monotonic()
                if began > self._until:
                    raise TooSlowError(f"the history took more than {_LIMIT_S:g} s")
            yield value
