"""What a stage takes by what was said: a line that is fitted to past runs, `38 ms + 4.1 ms per character`.

Where texts vary, they are most of what makes runs differ. Each run is therefore compared as what it would have taken
with a usual text.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise
from math import log
from statistics import median

from probe.drift.change import Grows
from probe.drift.dependence import spread
from probe.drift.figures import is_doubled
from probe.drift.series import Point

# What of the first chunk each stage grows with.
_OF = {"llm_decode": "tokens", "tts_ttfb": "characters"}
# Fitted to so many runs, in groups of equal size by their texts' length: a group's median is moved by no outlier.
_KEPT = 512
_GROUPS = 8
# A line is used where lengths differ by more than this share of the usual one, and it explains as much of the scatter.
_LEAST = 0.1


class Texts:
    """All stages of a series. `usual` takes each run, in order."""

    def __init__(self) -> None:
        self._stages = {stage: TextsOfStage() for stage in _OF}

    def usual(self, point: Point) -> tuple[Mapping[str, float | None], bool]:
        """What the run's stages would have taken with a usual text, as far as that is known; the whole first.

        And whether a stage has a line for the first time with this run.
        """
        stages, is_first = point.wait_ms(), False
        all_of_it = next(iter(stages))
        lengths = {"llm_decode": point.tokens, "tts_ttfb": point.chars}
        for stage, length in lengths.items():
            ms, whole = stages.get(stage), stages[all_of_it]
            if ms is None or ms <= 0 or not length:
                continue
            fitted_to = self._stages[stage]
            had_none = not fitted_to.usual_length
            stages[stage] = usual = fitted_to.usual(ms, length)
            is_first |= had_none and fitted_to.usual_length > 0
            if whole is not None and whole > ms:
                stages[all_of_it] = whole - ms + usual
        return stages, is_first

    def lines(self) -> tuple[Grows, ...]:
        """Those that are known."""
        known = ((stage, each.line) for stage, each in self._stages.items())
        return tuple(Grows(stage, _OF[stage], *line) for stage, line in known if line is not None)

    def forget(self) -> None:
        """Something else serves now."""
        self._stages = {stage: TextsOfStage() for stage in _OF}


class TextsOfStage:
    """One stage."""

    def __init__(self) -> None:
        # The line's value at no length, and its slope.
        self.line: tuple[float, float] | None = None
        # 0 until there has been a line.
        self.usual_length = 0.0
        self._runs = 0
        self._past: deque[tuple[float, float]] = deque(maxlen=_KEPT)

    def usual(self, ms: float, length: float) -> float:
        """What this run would have taken with a usual text; it is learned from."""
        line = self.line
        taken = ms if line is None else ms * (line[0] + line[1] * self.usual_length) / (line[0] + line[1] * length)
        self._past.append((length, ms))
        self._runs += 1
        if is_doubled(self._runs) or self._runs % _KEPT == 0:
            self.line = fitted(self._past)
            if self.line is not None and not self.usual_length:
                # It stays what it is, so that the level does.
                self.usual_length = median(each for each, _ in self._past)
        return taken


def fitted(past: Sequence[tuple[float, float]]) -> tuple[float, float] | None:
    """The line through (length, milliseconds): what it is at no length, and its slope. None where there is none."""
    ordered = sorted(past)
    cuts = [len(ordered) * each // _GROUPS for each in range(_GROUPS + 1)]
    groups = [ordered[low:high] for low, high in pairwise(cuts)]
    lengths = [median(each for each, _ in group) for group in groups]
    taken = [median(each for _, each in group) for group in groups]
    if lengths[-1] - lengths[0] < _LEAST * median(lengths):
        return None
    pairs = [*zip(lengths, taken, strict=True)]
    slope = median((y - v) / (x - u) for (u, v), (x, y) in combinations(pairs, 2) if x > u)
    base = median(y - slope * x for x, y in pairs)
    if base < 0:
        base, slope = 0.0, median(y / x for x, y in pairs)
    if slope <= 0:
        return None
    without = spread([log(y) for _, y in ordered])
    left = spread([log(y / (base + slope * x)) for x, y in ordered])
    return (base, slope) if left <= (1 - _LEAST) * without else None
