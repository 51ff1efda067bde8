"""The last days of one series (a target and a scenario): the history reads them, and reports are made of them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from probe.record import Failure, Outcome, RunRecord

# When a run started (nanoseconds since the epoch), how it ended, and the first turn's first byte in milliseconds; a
# plain tuple, since a page is made of tens of thousands.
Run = tuple[int, Outcome, float | None]
# Runs that ended so were attempts: the others say nothing of the target.
ATTEMPTS: tuple[Outcome, ...] = ("ok", "slow", "failed")
MISSED: tuple[Outcome, ...] = ("slow", "failed")


@dataclass(frozen=True, slots=True)
class Silence:
    """A listener's longest silence in a run, once the speech had begun. `started` is the run's."""

    run_id: str
    started: int
    ms: float


@dataclass(frozen=True, slots=True)
class WholeWait:
    """Means of the turns of a target that hears, in milliseconds; None with too few of them.

    Of the whole wait in the last hour and in the week that ended a day ago; of its parts in that hour.
    """

    hour_ms: float | None
    week_ms: float | None
    endpointing_ms: float | None = None
    transcription_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Recent:
    """One series. `runs` are those that started at `since` or later, in the order in which they ended.

    `older` counts the outcomes of three days, but for those `runs`; `starts` are of the last runs, the newest first,
    however long ago; `cold` of the runs among `runs` for which a model was loaded. `failing_since` and `missing_since`
    are the starts of the first run of the present row of failures, and of attempts that missed the objective; None
    where there is none. `failures` are those of the last hours, the newest first, and not all where there are many.
    """

    target: str
    scenario: str
    since: int
    runs: Sequence[Run] = ()
    older: Mapping[Outcome, int] = field(default_factory=dict)
    starts: Sequence[int] = ()
    cold: Sequence[int] = ()
    failing_since: int | None = None
    missing_since: int | None = None
    failures: Sequence[Failure] = ()
    # None where it can't be read.
    last: RunRecord | None = None

    def outcomes(self, since: int) -> Counter[Outcome]:
        """How many runs that started since then ended in which way."""
        return Counter(outcome for started, outcome, _ in self.runs if started >= since)

    def in_a_row(self, outcomes: Iterable[Outcome]) -> int:
        """How many of the latest attempts ended so; a run that was no attempt breaks no row."""
        wanted = tuple(outcomes)
        attempts = (outcome for _, outcome, _ in reversed(self.runs) if outcome in ATTEMPTS)
        return sum(1 for _ in takewhile(wanted.__contains__, attempts))


def count(counts: Mapping[Outcome, int], outcomes: Iterable[Outcome]) -> int:
    """How many runs ended in one of these ways."""
    return sum(counts.get(each, 0) for each in outcomes)
