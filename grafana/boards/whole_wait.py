"""The row of targets that hear: from the end of a person's speech to the first sound of the answer."""

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.builders.common import StackingConfig
from grafana_foundation_sdk.models.common import StackingMode, VisibilityMode

from boards.palette import HEARING, STAGES
from boards.panels import fixed, lines, sized, style
from boards.queries import PAIR, mean, metric, over_time, quantile

TITLE = "The whole wait"
# What the answer itself takes is what is left.
_SOUND = f"{mean('combined_ttfa', 'first')} and on (target, scenario) {mean('voice_to_voice', 'first')}"


def panels() -> tuple[timeseries.Panel, ...]:
    """Without a target that hears they say so."""
    return tuple(each.no_value("no target hears") for each in (_whole(), _parts(), _errors()))


def _whole() -> timeseries.Panel:
    queries = [
        over_time(quantile(0.5, "voice_to_voice"), f"p50 {PAIR}", "A"),
        over_time(quantile(0.95, "voice_to_voice"), f"p95 {PAIR}", "B"),
    ]
    panel = lines("Wait since the end of the speech", *queries, unit="s")
    panel = panel.show_points(VisibilityMode.NEVER)
    panel = panel.override_by_regexp("/^p95/", [style("lineStyle", {"fill": "dash", "dash": [4, 4]})])
    return sized(panel.axis_soft_min(0), 12, 8)


def _parts() -> timeseries.Panel:
    # In the order of time, the first at the bottom.
    parts = {
        "endpointing": (f"avg ({mean('endpointing', 'first')})", HEARING["endpointing"]),
        "transcription": (f"avg ({mean('transcription', 'first')})", HEARING["transcription"]),
        "answer, to the first sound": (f"avg ({_SOUND})", STAGES["tts_ttfb"][1]),
    }
    queries = [over_time(expr, name, ref) for (name, (expr, _)), ref in zip(parts.items(), "ABC", strict=True)]
    panel = lines("What the whole wait consists of", *queries, unit="s")
    for name, (_, color) in parts.items():
        panel = panel.override_by_name(name, [fixed(color)])
    stacked = panel.fill_opacity(60).line_width(1).stacking(StackingConfig().mode(StackingMode.NORMAL).group("A"))
    return sized(stacked.axis_soft_min(0), 6, 8)


def _errors() -> timeseries.Panel:
    panel = lines("Word error rate", over_time(metric("word_error_rate"), PAIR), unit="percentunit")
    return sized(panel.axis_soft_min(0).axis_soft_max(0.25), 6, 8)
