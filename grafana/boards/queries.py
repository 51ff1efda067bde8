"""What panels ask Prometheus for. PromQL that more than one panel needs has a name here."""

from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")

# What the variables select.
PAIRS = 'target=~"$target",scenario=~"$scenario"'
TARGETS = 'target=~"$target"'
PAIR = "{{target}} · {{scenario}}"
# With what the objective judges, where a verdict is about it.
JUDGED_PAIR = f"{{{{of}}}}: {PAIR}"
# As the alert VoiceProbeStale.
OVERDUE_S = 180


def over_time(expr: str, legend: str, ref: str = "A", least_step: str = "") -> Dataquery:
    """A series over the dashboard's range; `least_step` keeps each step long enough to hold some runs."""
    query = Dataquery().datasource(DATASOURCE).expr(expr).legend_format(legend).ref_id(ref).range()
    return query.interval(least_step) if least_step else query


def now(expr: str, legend: str, ref: str = "A") -> Dataquery:
    """One value, at the end of the dashboard's range."""
    return Dataquery().datasource(DATASOURCE).expr(expr).legend_format(legend).ref_id(ref).instant()


def rows(expr: str, ref: str = "A") -> Dataquery:
    """One row of a table for each series."""
    return now(expr, "", ref).format(PromQueryFormat.TABLE)


def cells(expr: str, least_step: str) -> Dataquery:
    """A heatmap's cells, with exemplars."""
    return over_time(expr, "{{le}}", "A", least_step).format(PromQueryFormat.HEATMAP).exemplar(True)


def recorded(name: str, *matchers: str) -> str:
    """A recording rule's series for what is selected."""
    return f"voice_probe:{name}{{{','.join((PAIRS, *matchers))}}}"


def by_pair(expr: str) -> str:
    """Without a metric's name: rows of a table with two of them would not be one row."""
    return f"max by (target, scenario) ({expr})"


def metric(name: str, *matchers: str) -> str:
    """A metric of the daemon for what is selected; two daemons that measure the same pair are one."""
    return by_pair(f"voice_probe_{name}{{{','.join((PAIRS, *matchers))}}}")


def while_answered(expr: str) -> str:
    """Only where a run was complete recently: a gauge of the last complete run stays when nothing answers any more.

    Half an hour after it a run without an answer has ended, or one is overdue: however rare the schedule is, then not.
    """
    silent_for = f"{metric('last_run_timestamp_seconds')} - {metric('last_success_timestamp_seconds')}"
    on_time = f"time() - {metric('next_run_timestamp_seconds')} < {OVERDUE_S}"
    return f"{expr} and on (target, scenario) ({silent_for} < 1800) and on (target, scenario) ({on_time})"


def each_pair(expr: str) -> str:
    """A value for every pair, always in the same order, so that the rows of two panels are the same; NaN for none.

    Pairs are known for an hour after the daemon has gone, so that somebody notices.
    """
    known = f"last_over_time(voice_probe_last_run_timestamp_seconds{{{PAIRS}}}[1h])"
    pairs = f"0 * max by (target, scenario) ({known})"
    return f"{pairs} + on (target, scenario) ({expr} or on (target, scenario) NaN * {pairs})"


def objectives() -> str:
    """Each target's objective, with what it judges as a label `of`; without a `measure` that is the first byte."""
    known = f"last_over_time(voice_probe_objective_seconds{{{TARGETS}}}[1h])"
    judges = {
        "first sound after the speech": "voice_to_voice",
        "first sound": "response_ttfa",
        "first byte": "response_ttfb|",
    }
    for words, measure in judges.items():
        known = f'label_replace({known}, "of", "{words}", "measure", "{measure}")'
    return f"topk by (target) (1, max by (target, of) ({known}))"


def judged(expr: str) -> str:
    """A verdict on each pair, with what it is a verdict of."""
    return f"({expr}) * on (target) group_left (of) (({objectives()}) ^ 0)"


def quantile(q: float, histogram: str) -> str:
    """Of a histogram's turns, over `$window`: long enough to hold ten runs or more."""
    buckets = f'voice_probe_{histogram}_seconds_bucket{{{PAIRS},position="first"}}'
    return f"histogram_quantile({q}, sum by (le, target, scenario) (increase({buckets}[$window])))"


def mean(histogram: str, position: str) -> str:
    """Of what a histogram observed over `$window`; exact, whatever the buckets."""
    observed = f'{{{PAIRS},position="{position}"}}[$window]'
    total = f"sum by (target, scenario) (increase(voice_probe_{histogram}_seconds_sum{observed}))"
    return f"{total} / (sum by (target, scenario) (increase(voice_probe_{histogram}_seconds_count{observed})) > 0)"


def mean_of_answers() -> str:
    """The word error rate of the answers that were transcribed within `$window`."""
    observed = f"{{{PAIRS}}}[$window]"
    total = f"sum by (target, scenario) (increase(voice_probe_answer_word_error_ratio_sum{observed}))"
    number = f"sum by (target, scenario) (increase(voice_probe_answer_word_error_ratio_count{observed}))"
    return f"{total} / ({number} > 0)"


def not_transcribed() -> str:
    """How many answers were not transcribed, by target, stage and reason; where all were, a zero that says so."""
    missed = f"increase(voice_probe_answers_not_transcribed_total{{{PAIRS}}}[$__interval])"
    transcribed = f"0 * count(voice_probe_answer_word_error_ratio_count{{{PAIRS}}})"
    none = f'label_replace({transcribed}, "reason", "none missed", "", "")'
    return f"sum by (target, stage, reason) ({missed}) > 0.5\nor on ()\n{none}"


def in_words(expr: str, *labels: str) -> str:
    """With a label `words`, of those labels that a series has: a legend would miss the others."""
    told = ", ".join(f'"{label}"' for label in labels)
    return f'label_join({expr}, "words", " ", {told})'


def state() -> str:
    """How a pair does, as a number that `palette.STATES` has words for."""
    return each_pair(recorded("state:recent"))


def since() -> str:
    """Since when, in ms since the epoch, a pair has been good, or has not: the last minute that was otherwise.

    Where there was none in a week, the first that is known.
    """
    good = f"{recorded('state:recent')} == bool 2"
    now_good = f"{recorded('state:recent')} @ end() == bool 2"
    other = f"timestamp(({good}) != on (target, scenario) ({now_good}))"
    first = f"min_over_time(timestamp({recorded('state:recent')})[7d:10m])"
    return (
        f"1000 * (max by (target, scenario) (max_over_time({other}[7d:1m]))"
        f" or on (target, scenario) max by (target, scenario) ({first}))"
    )


def to_blame() -> str:
    """The stage at which attempts are lost while a pair is not good, its server and, where it failed, the reason.

    The value is 1 where more attempts failed than were slow, and 0 where it is the stage that has grown most.
    """
    failed = f"{recorded('attempts_failed:recent')} > 0.5 * {recorded('attempts_missed:recent')}"
    why = f"topk by (target) (1, voice_probe:failures:recent{{{TARGETS}}})"
    slow = f"0 * {recorded('worst_stage:excess_seconds')}"
    return (
        f"({while_bad(f'({failed}) ^ 0')}) * on (target) group_left (server, stage, reason) ({why}) ^ 0"
        f" or on (target, scenario)"
        f' label_replace({while_bad(slow)}, "server", "$1", "stage", "(llm|tts)_.*")'
    )


def of_blamed(expr: str) -> str:
    """The value of the stage that is to blame, where it is one that takes time."""
    worst = while_bad(f"{recorded('worst_stage:excess_seconds')} ^ 0")
    failing = f"{recorded('attempts_failed:recent')} > 0.5 * {recorded('attempts_missed:recent')}"
    value = by_pair(f"{expr} * on (target, scenario, stage) ({worst})")
    return f"{value} unless on (target, scenario) ({failing})"


def while_bad(expr: str) -> str:
    """Only for pairs that are slow or fail."""
    return f"{expr} and on (target, scenario) ({recorded('state:recent')} > 2 < 7)"


def last_bad_run() -> str:
    """The moment in the id of the last run that was slow or failed, in ms since the epoch, while a pair is not good."""
    bad = f'voice_probe_last_run_id_timestamp_seconds{{{PAIRS},outcome=~"slow|failed"}}'
    return f"1000 * ({while_bad(f'max by (target, scenario) ({bad} > 0)')})"


def days_known() -> str:
    """How many days, of the last 30, Prometheus knows of a pair; a tenth at least."""
    first = f"min_over_time(timestamp(voice_probe_last_run_timestamp_seconds{{{PAIRS}}})[30d:1h])"
    days = f"clamp_min(round((time() - {by_pair(first)}) / 86400, 0.1), 0.1)"
    return f"{days} or on (target, scenario) 0.1 * ({metric('last_run_timestamp_seconds')} >= bool 0) ^ 0"


def firing() -> str:
    """The alerts that fire, since when in ms, with where their runbook is; one line that says so where none does."""
    chosen = 'alertname=~"Voice.+",target=~"$target|",scenario=~"$scenario|"'
    since_s = f'ALERTS_FOR_STATE{{{chosen}}} and ignoring (alertstate) ALERTS{{{chosen},alertstate="firing"}}'
    links = "(topk(1, voice_probe:links) or on () vector(1)) ^ 0"
    page = 'label_replace({}, "page", "$1", "alertname", "(.*)")'
    fired = f"1000 * max by (alertname, severity, target, scenario) ({since_s})"
    none = 'label_replace(vector(NaN), "alertname", "none", "", "")'
    return f"({page.format(fired)}\nor on ()\n{none})\n* on () group_left (runbook) {links}"


def failures(window: str) -> str:
    """How many runs failed, by target, server, stage and reason; a zero that says so where none did."""
    counted = f"increase(voice_probe_run_failures_total{{{TARGETS}}}[{window}])"
    none = 'label_replace(vector(0), "reason", "no failure", "", "")'
    return f"sum by (target, server, stage, reason) ({counted}) > 0.5\nor on ()\n{none}"
