"""What an outcome refers to: the measure that the objective judges, in words."""

from collections.abc import Callable, Mapping

from probe.plan import ObjectiveMeasure, Target
from probe.report.format import ms

# In words, what the objective judges.
WHAT: Mapping[ObjectiveMeasure, str] = {
    "response_ttfb": "first byte",
    "response_ttfa": "first sound",
    "voice_to_voice": "first sound after the speech",
}


def ok_means(target: Target, shown: Callable[[float], str] = ms) -> str:
    """What a run has to do to be ok, such as "first byte within 1000ms"; `shown` writes milliseconds."""
    return f"{WHAT[target.objective_measure]} within {shown(target.objective_ms)}"
