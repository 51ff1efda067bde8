"""Cold runs, whose servers had a reason to be slow at first: they are counted apart, and compared with nothing."""

from collections import deque
from statistics import median

from probe.drift.series import Point

# A run is cold when the one before it is longer ago than so many times the usual.
_PAUSE = 5.0
_KEPT = 25


class Cold:
    """Fed with each run, in order."""

    def __init__(self) -> None:
        self.runs = 0
        self._last: tuple[int, bool] | None = None
        self._gaps: deque[int] = deque(maxlen=_KEPT)
        self._ms: deque[float] = deque(maxlen=_KEPT)

    def is_cold(self, point: Point) -> bool:
        """Whether nobody asked for long, the run before failed or there was none, or a server says so itself."""
        last, self._last = self._last, (point.started, point.outcome == "failed")
        if last is None or last[1]:
            return True
        gap = point.started - last[0]
        usual = median(self._gaps) if self._gaps else gap
        self._gaps.append(gap)
        return gap > _PAUSE * usual or point.cold

    def take(self, point: Point) -> None:
        """One that is cold, and has figures."""
        self.runs += 1
        whole, *_ = point.wait_ms().values()
        if whole is not None:
            self._ms.append(whole)

    def forget_latencies(self) -> None:
        """Another wait is asked about now."""
        self._ms.clear()

    def usual_ms(self) -> float | None:
        """The median of the last of them, None where there was none."""
        return median(self._ms) if self._ms else None
