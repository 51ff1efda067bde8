"""Contention is large and short: runs that are far off count only once there are too many of them for that."""

import math

from probe.drift.evidence import Evidence
from probe.drift.figures import CERTAIN

# A run is far off by more than a third, and by more than is certain. Few runs of a step of 20 % are: it is no
# contention.
LARGE = math.log(4 / 3)
# So many are too many, where each that is not far off makes up for this share of one.
_TOO_MANY = 14
_MAKES_UP = 0.2


def far_off(evidence: Evidence, hour: int, value: float | None) -> int:
    """Whether a stage took as long as contention makes it: 1, -1 where it took as little, else 0."""
    if not evidence.noise or value is None:
        return 0
    away = value - evidence.baseline.expected(hour)
    return 0 if abs(away) <= max(LARGE, CERTAIN * evidence.noise.sigma) else 1 if away > 0 else -1


class Contention:
    """Fed with whether each run is far off. `crowd` is the run since which too many are, when it has come to that."""

    def __init__(self) -> None:
        self.crowd: int | None = None
        self._sum = 0.0
        self._onset = 0

    def counts_since(self, number: int, far: bool) -> int:
        """The number of the run since which all count, with this one: one later where it does not count yet."""
        self._sum += 1 if far else -_MAKES_UP
        self.crowd = None
        if self._sum <= 0:
            self._sum, self._onset = 0.0, number + 1
        elif self._sum >= _TOO_MANY:
            self._sum, self.crowd = 0.0, self._onset
            return self._onset
        return number + 1 if far else number
