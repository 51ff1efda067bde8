"""The vocabulary of drift: changes that were found, and the state now. Frozen values; times are nanoseconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from probe.drift.fingerprint import Fingerprint
from probe.waits import WHOLES

Direction = Literal["slower", "faster"]
DIRECTIONS: tuple[Direction, ...] = ("slower", "faster")
State = Literal["learning", "stable", "slower", "faster"]


@dataclass(frozen=True, slots=True)
class Moved:
    """One stage: what it took, what it takes, and whether that is more than its scatter explains."""

    stage: str
    before_ms: float
    after_ms: float
    certain: bool

    @property
    def ratio(self) -> float:
        return self.after_ms / self.before_ms

    @property
    def added_ms(self) -> float:
        return self.after_ms - self.before_ms


@dataclass(frozen=True, slots=True)
class Shift:
    """Runs take longer, or less long, than before.

    `stage` is the one that moved most, in milliseconds; `confidence` the probability that chance alone would not have
    made it. `since` is the start of the first run that was different, `found` that of the run with which it was found;
    `before` and `after` are the ids of some runs on either side.
    """

    since: int
    found: int
    direction: Direction
    stage: str
    moved: tuple[Moved, ...]
    confidence: float
    before: tuple[str, ...]
    after: tuple[str, ...]
    # When all was as before again, if it was.
    until: int | None = None


@dataclass(frozen=True, slots=True)
class ServingChange:
    """Another model or build, or other settings: what was known of the latencies no longer counts."""

    since: int
    old: Fingerprint
    new: Fingerprint
    before: tuple[str, ...]
    after: tuple[str, ...]


Change = Shift | ServingChange


@dataclass(frozen=True, slots=True)
class Drift:
    """Since when (the oldest change that has not gone again) what is taken differs from the baseline."""

    since: int
    found: int
    direction: Direction
    stage: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Grows:
    """What a stage takes by the text: `base_ms`, and `slope_ms` for each of its `per` (characters or tokens)."""

    stage: str
    per: str
    base_ms: float
    slope_ms: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """How things stand. `now` compares each stage's last runs with the baseline; empty while too little is known.

    `runs` are those that are known since the baseline last began, cold ones apart.
    """

    state: State
    runs: int
    drift: Drift | None
    now: tuple[Moved, ...]
    cold_runs: int
    cold_ms: float | None
    changes: tuple[Change, ...]
    # Where texts vary: what each stage takes by their length. `now` is for a usual one then.
    grows: tuple[Grows, ...] = ()


def whole_of(moved: Sequence[Moved]) -> Moved | None:
    """The whole wait among its stages; None where it is not known."""
    return next((each for each in moved if each.stage in WHOLES), None)


def of_stage(stage: str, moved: Sequence[Moved]) -> Moved:
    """The one of this stage, which there must be."""
    return next(each for each in moved if each.stage == stage)


def leading(moved: Sequence[Moved], direction: Direction, alarmed: str) -> str:
    """The stage to name: of those that certainly moved that way, the one that moved most."""
    sign = 1 if direction == "slower" else -1
    same_way = [each for each in moved if each.stage not in WHOLES and sign * each.added_ms > 0]
    certain = [each for each in same_way if each.certain]
    if alarmed not in WHOLES and not certain:
        return alarmed
    return max(certain or same_way, key=lambda each: abs(each.added_ms)).stage if same_way else alarmed
