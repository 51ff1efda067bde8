"""Contention is large and short: runs that are far off count only once there are too many of them for that."""

import math
from collections import deque

# A run is far off by more than a quarter, and by more than so many sigmas.
LARGE = math.log(1.25)
FAR_SIGMAS = 3.0
# So many in a row count.
IN_A_ROW = 14
# A larger share of them than usual is a change, too: when it outweighs a burst by what outweighs chance.
_SHARE_THEN = 0.4
_USUAL_SHARE = 0.05
_MORE_THAN_USUAL = 1.5
_A_BURST = 10
_KEPT = 2880


class Contention:
    """Fed with whether each run is far off. `crowd` is the run since which too many are, when it has come to that."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self.crowd: int | None = None
        self._past: deque[bool] = deque(maxlen=_KEPT)
        self._far = 0
        self._row = 0
        self._sum = 0.0
        self._onset = 0

    def counts_since(self, number: int, far: bool, patience: float) -> int:
        """The number of the run since which all count, with this one: one later where it does not count yet.

        `patience` is how many times as much evidence as in the end it takes.
        """
        share = min(_SHARE_THEN / 2, max(_USUAL_SHARE, _MORE_THAN_USUAL * self._far / (len(self._past) + 1)))
        self._remember(far)
        self._row = self._row + 1 if far else 0
        gain = math.log(_SHARE_THEN / share)
        self._sum += gain if far else math.log((1 - _SHARE_THEN) / (1 - share))
        if self._sum <= 0.0:
            self._sum, self._onset = 0.0, number + 1
        self.crowd = None
        if self._sum >= patience * self._threshold + _A_BURST * gain:
            self.crowd, self._sum = self._onset, 0.0
        if not far or self._row > IN_A_ROW:
            return number
        if self._row == IN_A_ROW:
            return number - IN_A_ROW + 1
        return number + 1

    def _remember(self, far: bool) -> None:
        if len(self._past) == self._past.maxlen:
            self._far -= self._past[0]
        self._past.append(far)
        self._far += far
