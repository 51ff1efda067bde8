"""When the next run of a series should come, and whether it is overdue."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from probe.report.format import lasting
from probe.timestamps import NS_PER_S

# As VoiceProbeStale: so much later than due, which is more than a run waits for users, it does not come any more.
STALE_S = 120
# With fewer runs the usual interval is not known.
_FEWEST = 3


@dataclass(frozen=True, slots=True)
class Due:
    """`at` is when the next run should start, None if unknown; `every_s` the usual distance between starts.

    `late_s` is how long it has been overdue, None where it is not.
    """

    at: int | None = None
    every_s: float | None = None
    late_s: float | None = None
    last: int | None = None

    def text(self, now: int) -> str:
        """In words, such as "next run in 40 s", or what is missing."""
        if self.at is None:
            return "when the next run is due is not known"
        if self.late_s is not None and self.last is not None:
            usual = f"; one is usual every {lasting(self.every_s)}" if self.every_s is not None else ""
            return f"no run for {lasting((now - self.last) / NS_PER_S)}{usual}"
        left = (self.at - now) / NS_PER_S
        return f"next run in {lasting(left)}" if left > 0 else "next run is due"


def due(starts: Sequence[int], now: int, duration_ns: int = 0, next_run: Callable[[int], int] | None = None) -> Due:
    """From the starts of the last runs, the newest first, and how long the last one took.

    `next_run` is what a configuration says. Without one, the usual distance between the last runs counts, and it is
    overdue after the longest one but one: a schedule that rests at night does so more than once. A clock that was set
    shows as a distance of less than nothing, which is left out. A run of the future is none that came last.
    """
    distances = sorted(later - earlier for later, earlier in pairwise(starts) if later > earlier)
    every = median(distances) if len(distances) >= _FEWEST - 1 else None
    last = next((each for each in starts if each <= now), None)
    if next_run is not None and last is not None:
        at = latest = next_run(last)
    elif every is not None and last is not None:
        at, latest = last + round(every), last + distances[-2]
    else:
        return Due(last=last)
    late_s = (now - latest - duration_ns) / NS_PER_S
    return Due(at, every and every / NS_PER_S, late_s if late_s > STALE_S else None, last)
