"""The row of spoken conversation: how long a person waits who speaks, what each side understands, and barge-in."""

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.builders.common import StackingConfig
from grafana_foundation_sdk.models.common import StackingMode, VisibilityMode

from boards.palette import BAD, HEARING, QUIET, STAGES
from boards.panels import bars, fixed, limit, lines, sized, style
from boards.queries import PAIR, in_words, mean, mean_of_answers, metric, not_transcribed, over_time, quantile

TITLE = "The whole wait"
# As the alert VoiceAnswersGarbled.
GARBLED = 0.5
# Who is interrupted for longer than this has not been heard, a person thinks.
TALKS_ON_S = 0.5
# What the answer itself takes is what is left.
_SOUND = f"{mean('combined_ttfa', 'first')} and on (target, scenario) {mean('voice_to_voice', 'first')}"


def panels() -> tuple[timeseries.Panel, ...]:
    """Where there is no target of the kind that a panel is about, it says so."""
    return (
        *(each.no_value("no target hears") for each in (_whole(), _parts(), _errors())),
        *(each.no_value("no answer is transcribed") for each in (_understood(), _not_transcribed())),
        _interrupted().no_value("no answer is spoken into"),
    )


def _whole() -> timeseries.Panel:
    return sized(_quantiles("Wait since the end of the speech", "voice_to_voice"), 12, 8)


def _quantiles(title: str, histogram: str) -> timeseries.Panel:
    queries = [
        over_time(quantile(0.5, histogram), f"p50 {PAIR}", "A"),
        over_time(quantile(0.95, histogram), f"p95 {PAIR}", "B"),
    ]
    panel = lines(title, *queries, unit="s").show_points(VisibilityMode.NEVER)
    return panel.override_by_regexp("/^p95/", [style("lineStyle", {"fill": "dash", "dash": [4, 4]})])


def _parts() -> timeseries.Panel:
    # In the order of time, the first at the bottom.
    parts = {
        "endpointing": (f"avg ({mean('endpointing', 'first')})", HEARING["endpointing"][1]),
        "transcription": (f"avg ({mean('transcription', 'first')})", HEARING["transcription"][1]),
        "answer, to the first sound": (f"avg ({_SOUND})", STAGES["tts_ttfb"][1]),
    }
    queries = [over_time(expr, name, ref) for (name, (expr, _)), ref in zip(parts.items(), "ABC", strict=True)]
    panel = lines("What the whole wait consists of", *queries, unit="s")
    for name, (_, color) in parts.items():
        panel = panel.override_by_name(name, [fixed(color)])
    stacked = panel.fill_opacity(60).line_width(1).stacking(StackingConfig().mode(StackingMode.NORMAL).group("A"))
    return sized(stacked, 6, 8)


def _errors() -> timeseries.Panel:
    panel = lines("Word error rate", over_time(metric("word_error_rate"), PAIR), unit="percentunit")
    return sized(panel.axis_soft_max(0.25), 6, 8)


def _understood() -> timeseries.Panel:
    panel = lines("Word error rate of the answers", over_time(mean_of_answers(), PAIR), unit="percentunit")
    return sized(limit(panel, (None, "transparent"), (GARBLED, BAD)).axis_soft_max(0.6), 12, 8)


def _not_transcribed() -> timeseries.Panel:
    query = over_time(in_words(not_transcribed(), "target", "stage", "reason"), "{{words}}", "A", "10m")
    panel = bars("Answers that were not transcribed", query, unit="short")
    return sized(panel.override_by_regexp("/^ *none missed *$/", [fixed(QUIET)]).axis_soft_max(1), 6, 8)


def _interrupted() -> timeseries.Panel:
    panel = _quantiles("From the interruption to the silence", "interrupted")
    return sized(limit(panel, (None, "transparent"), (TALKS_ON_S, BAD)).axis_soft_max(TALKS_ON_S), 6, 8)
