"""What else could watch the combined TTFB: as series of a statistic; an alarm is a value above a threshold.

Each threshold is set so that there is one false alarm in 30 days, on other seeds than those it is tested on.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from drift_runs import Floats, Series

from probe.measures import STAGES

Statistic = Callable[[Series], Floats]

_DAY = 1440
_MEDIAN_RUNS = 30
_EWMA_WEIGHT = 0.05
_CLIP = 2.0
_LAG = 60
_REFRESH = 20
# Alarms closer than this many runs are one.
APART = 60


def median_ratio(series: Series) -> Floats:
    """Median of the last 30 runs over the median of the 1440 before them."""
    whole = series.stages_ms[STAGES[0]]
    ratios = np.zeros(len(whole))
    windows = np.lib.stride_tricks.sliding_window_view(whole, _MEDIAN_RUNS)
    recent = np.median(windows, axis=1)
    base = 1.0
    for end in range(_DAY + _MEDIAN_RUNS, len(whole) + 1):
        if (end - _DAY - _MEDIAN_RUNS) % _REFRESH == 0:
            base = float(np.median(whole[end - _MEDIAN_RUNS - _DAY : end - _MEDIAN_RUNS]))
        ratios[end - 1] = recent[end - _MEDIAN_RUNS] / base - 1
    return ratios


def ewma(series: Series) -> Floats:
    """EWMA(0.05) of the logarithm's distance from the median of 1440 runs that ended 60 ago, clipped at 2 sigmas."""
    logs = np.log(series.stages_ms[STAGES[0]])
    averages = np.zeros(len(logs))
    middle = sigma = now = 0.0
    for number in range(_DAY + _LAG, len(logs)):
        if (number - _DAY - _LAG) % _REFRESH == 0:
            window = logs[number - _LAG - _DAY : number - _LAG]
            middle = float(np.median(window))
            sigma = 1.4826 * float(np.median(np.abs(window - middle)))
        unit = max(-_CLIP, min(_CLIP, (logs[number] - middle) / sigma))
        now += _EWMA_WEIGHT * (unit - now)
        averages[number] = now
    return averages


STATISTICS: Mapping[str, Statistic] = {"median ratio": median_ratio, "EWMA": ewma}


def alarms(statistic: Floats, threshold: float) -> list[int]:
    """Where it comes to exceed the threshold, alarms that follow closely apart."""
    found: list[int] = []
    last = -APART
    for number in np.nonzero(statistic > threshold)[0].tolist():
        if number - last >= APART:
            found.append(number)
        last = number
    return found


def threshold_for(statistics: Sequence[Floats], allowed: int) -> float:
    """The lowest threshold, to a hundredth of the highest value, with no more alarms than allowed in all."""
    low, high = 0.0, max(float(each.max()) for each in statistics)
    for _ in range(20):
        middle = (low + high) / 2
        if sum(len(alarms(each, middle)) for each in statistics) <= allowed:
            high = middle
        else:
            low = middle
    return high
