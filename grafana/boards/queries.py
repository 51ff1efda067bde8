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


def metric(name: str, *matchers: str) -> str:
    """A metric of the daemon for what is selected; two daemons that measure the same pair are one."""
    return f"max by (target, scenario) (voice_probe_{name}{{{','.join((PAIRS, *matchers))}}})"


def while_answered(expr: str) -> str:
    """Only where a run was complete of late: a gauge of the last complete run stays when nothing answers any more.

    Half an hour after it a run without an answer has ended, or one is overdue: however rare the schedule is, then not.
    """
    silent_for = f"{metric('last_run_timestamp_seconds')} - {metric('last_success_timestamp_seconds')}"
    on_time = f"time() - {metric('next_run_timestamp_seconds')} < {OVERDUE_S}"
    return f"{expr} and on (target, scenario) ({silent_for} < 1800) and on (target, scenario) ({on_time})"


def each_pair(expr: str) -> str:
    """A value for every pair, always in the same order, so that the rows of two panels are the same; NaN for none.

    Pairs are known for an hour after the daemon went: somebody has to be told.
    """
    known = f"last_over_time(voice_probe_last_run_timestamp_seconds{{{PAIRS}}}[1h])"
    pairs = f"0 * max by (target, scenario) ({known})"
    return f"{pairs} + on (target, scenario) ({expr} or on (target, scenario) NaN * {pairs})"


def objectives() -> str:
    """Each target's objective, with what it judges as a label `of`; without a `measure` that is the first byte."""
    known = f"last_over_time(voice_probe_objective_seconds{{{TARGETS}}}[1h])"
    for words, measure in (("first sound", "response_ttfa"), ("first byte", "response_ttfb|")):
        known = f'label_replace({known}, "of", "{words}", "measure", "{measure}")'
    return f"topk by (target) (1, max by (target, of) ({known}))"


def judged(expr: str) -> str:
    """A verdict on each pair, with what it is a verdict of."""
    return f"({expr}) * on (target) group_left (of) (({objectives()}) ^ 0)"


def unmeasured() -> str:
    """1 where runs have ended in half an hour, or as far back as it takes to hold three, and none was an attempt."""

    def within(window: str) -> str:
        runs = f"voice_probe_runs_total{{{PAIRS},outcome"
        others = f'sum by (target, scenario) (increase({runs}=~"skipped|suspect"}}[{window}])) > bool 2.9'
        attempts = f'sum by (target, scenario) (increase({runs}=~"ok|slow|failed"}}[{window}])) == bool 0'
        return f"(({others}) * ({attempts}) > 0)"

    return " or ".join(within(window) for window in ("30m", "1h", "6h", "1d"))


def quantile(q: float, histogram: str) -> str:
    """Of a histogram's turns, over `$window`: long enough to hold ten runs or more."""
    buckets = f'voice_probe_{histogram}_seconds_bucket{{{PAIRS},position="first"}}'
    return f"histogram_quantile({q}, sum by (le, target, scenario) (increase({buckets}[$window])))"


def mean(histogram: str, position: str) -> str:
    """Of what a histogram observed over `$window`; exact, whatever the buckets."""
    observed = f'{{{PAIRS},position="{position}"}}[$window]'
    total = f"sum by (target, scenario) (increase(voice_probe_{histogram}_seconds_sum{observed}))"
    return f"{total} / (sum by (target, scenario) (increase(voice_probe_{histogram}_seconds_count{observed})) > 0)"


def in_words(expr: str, *labels: str) -> str:
    """With a label `words`, of those labels that a series has: a legend would miss the others."""
    told = ", ".join(f'"{label}"' for label in labels)
    return f'label_join({expr}, "words", " ", {told})'


def state() -> str:
    """How a pair does, as a number that `panels.STATES` has words for.

    Of late is what the recording rules call recent: it holds five attempts or more on any schedule. The first line that
    holds decides; that nothing was measured comes before what was measured earlier. Slow and Failing are where the
    alerts VoiceFirstAudioLate and VoiceTargetFailing begin, 7 is VoiceProbeStale; one attempt in seven may miss the
    objective in passing.
    """
    attempts, missed = recorded("attempts:recent"), recorded("attempts_missed:recent")
    failed = recorded("attempts_failed:recent")
    due = f"max by (target, scenario) (last_over_time(voice_probe_next_run_timestamp_seconds{{{PAIRS}}}[1h]))"
    last = metric("last_run_timestamp_seconds")
    lines = (
        f"7 * (time() - {due} > bool {OVERDUE_S}) > 0",
        f"0 * ({last} == 0)",
        unmeasured(),
        f"6 * ({failed} / {attempts} > bool 0.45) * ({failed} > bool 2.5) > 0",
        f"5 * ({missed} / {attempts} > bool 0.45) * ({missed} > bool 2.5) > 0",
        f"4 * ({failed} / {attempts} > bool 0.15) > 0",
        f"3 * ({missed} / {attempts} > bool 0.15) > 0",
        f"2 * ({attempts} > bool 0) > 0",
        f"1 * ({last} > bool 0)",
    )
    return "\nor on (target, scenario)\n".join(lines)


def failures(window: str) -> str:
    """How many runs failed, by target, server, stage and reason; a zero that says so where none did."""
    counted = f"increase(voice_probe_run_failures_total{{{TARGETS}}}[{window}])"
    none = 'label_replace(vector(0), "reason", "no failure", "", "")'
    return f"sum by (target, server, stage, reason) ({counted}) > 0.5\nor on ()\n{none}"
