"""Drift: says that a target has become slower or faster, which stage, and since when. docs/drift.md has the method.

`Monitor` is fed with the points of one series, in order, and answers with what it has found.
"""

from probe.drift.change import DIRECTIONS, Change, Drift, Grows, Moved, ServingChange, Shift, Verdict
from probe.drift.figures import ENOUGH
from probe.drift.monitor import LEAST_CHANGE, THRESHOLD, Monitor

__all__ = [
    "DIRECTIONS", "ENOUGH", "LEAST_CHANGE", "THRESHOLD", "Change", "Drift", "Grows", "Monitor", "Moved",
    "ServingChange", "Shift", "Verdict",
]  # fmt: skip
