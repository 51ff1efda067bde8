"""The present state: a card for each target and scenario, worst first, and what an alert would say.

Pure: values of the history and a time go in. What `probe top` shows, and the page *Now*.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from probe.drift import Verdict
from probe.drift.wording import sentence
from probe.recent import ATTEMPTS, MISSED, Recent, Silence, WholeWait, count
from probe.report import alerts
from probe.report.alerts import Alert, Observed
from probe.report.day import Day, day
from probe.report.due import Due, due
from probe.report.format import lasting
from probe.report.last_run import SILENCE_MS, LastRun, last_run
from probe.report.objective import WHAT
from probe.text import one_line
from probe.timestamps import NS_PER_S, epoch_seconds

MS_PER_S = 1000
# While others are measured, what has had no run for so long is not measured any more.
_GONE_AFTER_S = 12 * 3600

# As on the dashboards: `voice_probe:state:recent`.
State = Literal[
    "Good", "Some slow", "Some fail", "Slow", "Failing", "Nothing measured", "No runs any more", "Not measured any more"
]
Tone = Literal["bad", "warn", "good", "gone"]
Series = tuple[str, str]
_TONES: Mapping[State, Tone] = {
    "Good": "good", "Some slow": "warn", "Some fail": "warn", "Slow": "bad", "Failing": "bad",
    "Nothing measured": "warn", "No runs any more": "bad", "Not measured any more": "gone",
}  # fmt: skip
_WORST_FIRST: tuple[Tone, ...] = ("bad", "warn", "good", "gone")


@dataclass(frozen=True, slots=True)
class Card:
    """One target and scenario. `since` is when the present trouble began, None where there is none."""

    target: str
    scenario: str
    state: State
    tone: Tone
    headline: str
    since: int | None
    last: LastRun | None
    day: Day
    # On drift, None where the daemon has none.
    verdict: Verdict | None
    due: Due
    alerts: tuple[Alert, ...]
    # The longest one inside the speech of the last runs, None without one that a listener notices.
    silence: Silence | None = None

    @property
    def state_tone(self) -> Tone:
        """That of the state alone: a good target may still have something to look at."""
        return _TONES[self.state]

    @property
    def waits_objective_ms(self) -> float | None:
        """The objective of the day's waits, which are to the first byte; None where it judges another one."""
        return self.last.objective_ms if self.last is not None and not self.is_judged_elsewhere else None

    @property
    def is_judged_elsewhere(self) -> bool:
        """Whether the objective judges another wait than those of the day."""
        return self.last is not None and self.last.objective_of != WHAT["response_ttfb"]

    @property
    def drift(self) -> str | None:
        """The verdict in one sentence."""
        return None if self.verdict is None else sentence(self.verdict)


@dataclass(frozen=True, slots=True)
class Now:
    """All of them, worst first, and what an alert would say. `at` is nanoseconds since the epoch."""

    at: int
    cards: tuple[Card, ...]
    alerts: tuple[Alert, ...]


def now(
    series: Sequence[Recent],
    verdicts: Mapping[Series, Verdict],
    at: int,
    next_runs: Mapping[Series, Callable[[int], int]] | None = None,
    silences: Mapping[Series, Silence | None] | None = None,
    whole_waits: Mapping[Series, WholeWait] | None = None,
) -> Now:
    """`next_runs` are those of a configuration: of what it does not schedule, no run is expected.

    `silences` are the longest ones inside the speech of the last runs, as far as they are known; `whole_waits` are of
    the targets that hear.
    """
    waits = whole_waits or {}
    seen = [_observed(each, verdicts, at, next_runs, waits.get((each.target, each.scenario))) for each in series]
    absent = alerts.absent(seen)
    gone = [each for each in seen if absent is None and _is_gone(each, next_runs)]
    cards = [_card(each, (silences or {}).get(_series(each)), is_gone=each in gone) for each in seen]
    ordered = sorted(cards, key=_worst_first)
    return Now(at, tuple(ordered), tuple(_urgent_first(ordered, absent)))


def _urgent_first(cards: Sequence[Card], absent: Alert | None) -> list[Alert]:
    """If no target is measured any more, one alert stands for all."""
    found = [each for card in cards for each in card.alerts if absent is None or each.name != "VoiceProbeStale"]
    found.sort(key=lambda each: each.severity != "critical")
    return found if absent is None else [absent, *found]


def _observed(
    recent: Recent, verdicts: Mapping[Series, Verdict], at: int,
    next_runs: Mapping[Series, Callable[[int], int]] | None, whole_wait: WholeWait | None = None,
) -> Observed:  # fmt: skip
    series, last = (recent.target, recent.scenario), recent.last
    took = max(0, last.ended - last.started) if last is not None else 0
    if next_runs is not None and series not in next_runs:
        unscheduled = Due(last=recent.starts[0] if recent.starts else None)
        return alerts.observe(recent, unscheduled, verdicts.get(series), at, whole_wait)
    when = due(recent.starts, at, took, next_runs[series] if next_runs is not None else None)
    return alerts.observe(recent, when, verdicts.get(series), at, whole_wait)


def _is_gone(observed: Observed, next_runs: Mapping[Series, Any] | None) -> bool:
    recent = observed.recent
    if next_runs is not None:
        return (recent.target, recent.scenario) not in next_runs
    return observed.due.late_s is not None and observed.due.late_s > _GONE_AFTER_S


def _series(observed: Observed) -> Series:
    return observed.recent.target, observed.recent.scenario


def _card(observed: Observed, silence: Silence | None, *, is_gone: bool) -> Card:
    recent = observed.recent
    found = () if is_gone else tuple(alerts.of_series(observed))
    state: State = "Not measured any more" if is_gone else _state(observed, found)
    last = last_run(recent.last) if recent.last is not None else None
    tone = _TONES[state]
    if silence is not None and silence.ms <= SILENCE_MS:
        silence = None
    if tone == "good" and (found or silence is not None or (last is not None and last.silence_ms is not None)):
        tone = "warn"
    return Card(
        recent.target, recent.scenario, state, tone, _headline(observed, state, last), _since(observed, state), last,
        day(recent.runs, observed.now), observed.verdict, observed.due, found, silence,
    )  # fmt: skip


def _worst_first(card: Card) -> tuple[int, bool, bool, str, str]:
    is_critical = any(each.severity == "critical" for each in card.alerts)
    is_well = card.last is not None and card.last.outcome == "ok" and card.last.silence_ms is None
    is_well = is_well and card.silence is None
    return _WORST_FIRST.index(card.tone), not is_critical, is_well, card.target, card.scenario


def _state(observed: Observed, found: Sequence[Alert]) -> State:
    """As `voice_probe:state:recent`: the first that holds. What alerts have found in a row is not less than half."""
    if observed.due.late_s is not None:
        return "No runs any more"
    counts = observed.lately()
    attempts = count(counts, ATTEMPTS)
    if not attempts or alerts.is_unmeasured(observed):
        return "Nothing measured"
    names = [each.name for each in found]
    if "VoiceTargetFailing" in names or alerts.is_half(counts, ("failed",)):
        return "Failing"
    if "VoiceEveryAttemptMissed" in names or alerts.is_half(counts, MISSED):
        return "Slow"
    if count(counts, ("failed",)) / attempts > alerts.SOME:
        return "Some fail"
    return "Some slow" if count(counts, MISSED) / attempts > alerts.SOME else "Good"


def _headline(observed: Observed, state: State, last: LastRun | None) -> str:
    """In one line: what is wrong and for how long, else how long people wait."""
    if state == "Not measured any more" and observed.due.last is not None:
        return f"last run {lasting((observed.now - observed.due.last) / NS_PER_S)} ago"
    if state == "No runs any more":
        return observed.due.text(observed.now)
    if last is None:
        return "the last run can't be read"
    since = _since(observed, state)
    return last.text if since is None else f"{last.text}; for {lasting((observed.now - since) / NS_PER_S)}"


def _since(observed: Observed, state: State) -> int | None:
    recent = observed.recent
    if state in ("No runs any more", "Not measured any more"):
        return observed.due.last
    # A run that was skipped ends no row of failures.
    return recent.failing_since if recent.failing_since is not None else recent.missing_since


def remarks(card: Card) -> Iterator[str]:
    """What else is known of trouble: the last run's silence, reason, doubts and stage, and drift."""
    last = card.last
    if last is not None and last.silence_ms is not None:
        yield f"the speech stopped for {last.silence_ms / MS_PER_S:.1f} s in the last run"
    silence = card.silence
    if silence is not None and (last is None or silence.run_id != last.run_id):
        yield f"the speech stopped for {silence.ms / MS_PER_S:.1f} s in an earlier one of the last runs"
    if last is not None and last.outcome != "ok":
        yield from (one_line(each) for each in last.why)
    if last is not None and last.stage is not None and (last.outcome == "slow" or card.state in ("Slow", "Some slow")):
        yield last.stage
    if card.verdict is not None and card.verdict.state in ("slower", "faster"):
        yield f"{card.verdict.state} than its baseline: {card.drift}"


def document(found: Now) -> dict[str, Any]:
    """One JSON document."""
    return {
        "at": epoch_seconds(found.at),
        "alerts": [asdict(each) for each in found.alerts],
        "targets": [_plain(card) for card in found.cards],
    }


def _plain(card: Card) -> dict[str, Any]:
    last, day = card.last, card.day
    return {
        "target": card.target,
        "scenario": card.scenario,
        "state": card.state,
        "headline": card.headline,
        "since": _seconds(card.since),
        "last": None if last is None else {
            **asdict(last), "started": _seconds(last.started), "ended": _seconds(last.ended),
        },
        "day": {
            **{name: getattr(day, name) for name in ("runs", "attempts", "within", "median_ms", "p95_ms")},
            "slots": [asdict(each) for each in day.slots],
        },
        "silence": None if card.silence is None else {
            "run_id": card.silence.run_id, "started": _seconds(card.silence.started), "ms": card.silence.ms,
        },
        "drift": {"state": card.verdict and card.verdict.state, "text": card.drift},
        "next": {"at": _seconds(card.due.at), "every_s": card.due.every_s, "late_s": card.due.late_s},
        "alerts": [each.name for each in card.alerts],
    }  # fmt: skip


def _seconds(at: int | None) -> float | None:
    return None if at is None else epoch_seconds(at)
