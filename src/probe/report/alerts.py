"""What an alert would say now, as far as a history can say it: the conditions of deploy/prometheus, in Python.

Prometheus counts what it scraped, and waits before it reports; here the runs themselves are counted, and a condition is
reported as soon as it holds. A test holds the thresholds to those of the rules.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from probe.drift import Verdict
from probe.drift.change import whole_of
from probe.drift.wording import sentence
from probe.recent import ATTEMPTS, MISSED, Recent, WholeWait, count
from probe.record import Outcome
from probe.report.document import blamed
from probe.report.due import Due
from probe.report.format import counted
from probe.report.objective import ok_means
from probe.timestamps import NS_PER_S

# The share of attempts that should be within the objective: `voice_probe:objective_ratio`.
OBJECTIVE_RATIO = 0.95
# A window is long enough to judge with so many attempts (or runs) in it, and so many of them are no accident.
ENOUGH, SEVERAL, BAD_AUDIO = 5, 3, 2
# Half of the recent attempts. More than one in seven: some.
HALF, SOME = 0.45, 0.15
# How many times as fast as it may the error budget is used up.
FAST, SLOW = 6, 1
# The whole wait, against that of a week: how many times as long, and longer by how many milliseconds.
LONGER, LONGER_MS = 1.2, 100.0
DRIFTED, SKIPPING, SUSPECT, COLD = 1.03, 0.5, 0.25, 0.8
_10M, _30M, _1H, _6H, _3D = 600, 1800, 3600, 6 * 3600, 3 * 86_400

Severity = Literal["critical", "warning"]
About = Literal["target", "audio", "latency", "probe"]
Counts = Mapping[Outcome, int]


@dataclass(frozen=True, slots=True)
class Alert:
    """The rule's name, and what it says of a target and scenario; both empty where it is about all of them."""

    name: str
    severity: Severity
    about: About
    target: str
    scenario: str
    text: str


@dataclass(frozen=True, slots=True)
class Observed:
    """All that conditions of one series are about. `now` is nanoseconds since the epoch."""

    recent: Recent
    due: Due
    verdict: Verdict | None
    now: int
    # The outcomes of runs that started in the last so many seconds.
    windows: Mapping[int, Counts]
    # Of a target that hears, once it is known.
    whole_wait: WholeWait | None = None

    def within(self, seconds: int) -> Counts:
        """As of `windows`, which has 10 and 30 minutes, 1 and 6 hours, and 3 days."""
        return self.windows[seconds]

    def lately(self) -> Counts:
        """`voice_probe:runs:recent`: the shortest time with enough attempts, else 6 hours, or 3 days with few runs."""
        for seconds in (_10M, _1H):
            if count(counts := self.within(seconds), ATTEMPTS) >= ENOUGH:
                return counts
        counts = self.within(_6H)
        return counts if sum(counts.values()) >= ENOUGH else self.within(_3D)

    def share(self, seconds: int) -> float | None:
        """Which part of the attempts missed the objective; None where there was none."""
        counts = self.within(seconds)
        attempts = count(counts, ATTEMPTS)
        return count(counts, MISSED) / attempts if attempts else None


def observe(
    recent: Recent, due: Due, verdict: Verdict | None, now: int, whole_wait: WholeWait | None = None
) -> Observed:
    """What a series shows at this time."""
    hours = replace(recent, runs=[run for run in recent.runs if run[0] >= now - _6H * NS_PER_S])
    windows = {seconds: hours.outcomes(now - seconds * NS_PER_S) for seconds in (_10M, _30M, _1H, _6H)}
    windows[_3D] = recent.outcomes(now - _3D * NS_PER_S) + Counter(recent.older)
    return Observed(recent, due, verdict, now, windows, whole_wait)


def of_series(observed: Observed) -> list[Alert]:
    """The alerts of one series, the most urgent first; what Alertmanager would hold back is left out."""
    found = {name: text for name, (_, _, rule) in RULES.items() if (text := rule(observed)) is not None}
    recent = observed.recent
    shown = [name for name in RULES if name in found and not any(name in INHIBITS.get(each, ()) for each in found)]
    return [Alert(name, *RULES[name][:2], recent.target, recent.scenario, found[name]) for name in shown]


def absent(observed: Sequence[Observed]) -> Alert | None:
    """All targets are overdue: none is measured any more."""
    known = [each for each in observed if each.due.at is not None]
    if not known or any(each.due.late_s is None for each in known):
        return None
    text = "no target is measured any more: does the daemon run?"
    return Alert("VoiceProbeAbsent", "critical", "probe", "", "", text)


def is_half(counts: Counts, outcomes: Sequence[Outcome]) -> bool:
    """Half of the attempts, and several, ended so."""
    found, attempts = count(counts, outcomes), count(counts, ATTEMPTS)
    return found >= SEVERAL and found / attempts > HALF


def is_unmeasured(observed: Observed) -> bool:
    """Several runs in a row of time, and not one attempt: how long people wait is not known."""
    windows = (observed.within(seconds) for seconds in (_30M, _1H, _6H, _3D))
    return any(count(each, ("skipped", "suspect")) >= SEVERAL and not count(each, ATTEMPTS) for each in windows)


def _failing(observed: Observed) -> str | None:
    recent = observed.recent
    row, counts = recent.in_a_row(("failed",)), observed.lately()
    is_over = recent.in_a_row(("ok", "slow")) >= SEVERAL
    if row < SEVERAL and (is_over or not is_half(counts, ("failed",))):
        return None
    why = f", last {blamed(recent.failures[0])}/{recent.failures[0].reason}" if recent.failures else ""
    return f"fails: {_of(counts, ('failed',))}, now {row} in a row{why}"


def _bad_audio(observed: Observed) -> str | None:
    recent = observed.recent
    rare = count(observed.within(_1H), ATTEMPTS) < ENOUGH
    since = observed.now - (_6H if rare else _1H) * NS_PER_S
    bad = [each for each in recent.failures if each.stage == "audio" and each.at >= since]
    if len(bad) < BAD_AUDIO or recent.in_a_row(("failed",)) >= BAD_AUDIO:
        return None
    return f"answers without speech: {counted(len(bad), 'attempt')} with bad audio, last {bad[0].reason}"


def _every_attempt_missed(observed: Observed) -> str | None:
    row = observed.recent.in_a_row(MISSED)
    return None if row < SEVERAL else f"{_late(observed)}, now {row} in a row"


def _late_now(observed: Observed) -> str | None:
    is_over = observed.recent.in_a_row(("ok",)) >= SEVERAL
    return None if is_over or not is_half(observed.lately(), MISSED) else _late(observed)


def _burning_fast(observed: Observed) -> str | None:
    budget, counts, missed = 1 - OBJECTIVE_RATIO, observed.lately(), observed.share(_6H)
    attempts = count(counts, ATTEMPTS)
    is_few = count(observed.within(_6H), MISSED) < ENOUGH or observed.recent.in_a_row(("ok",)) >= SEVERAL
    if missed is None or is_few or missed <= FAST * budget or count(counts, MISSED) <= FAST * budget * attempts:
        return None
    return _burning(observed, missed, "6 hours")


def _burning_slowly(observed: Observed) -> str | None:
    budget, missed, recently = 1 - OBJECTIVE_RATIO, observed.share(_3D), observed.share(_6H)
    is_few = count(observed.within(_3D), MISSED) < ENOUGH
    if missed is None or recently is None or is_few or missed <= SLOW * budget or recently <= budget:
        return None
    return _burning(observed, missed, "3 days")


def _drift_found(observed: Observed) -> str | None:
    verdict = observed.verdict
    if verdict is None or verdict.state != "slower":
        return None
    whole = whole_of(verdict.now)
    return f"has become slower: {sentence(verdict)}" if whole is not None and whole.ratio > DRIFTED else None


def _whole_wait_longer(observed: Observed) -> str | None:
    wait = observed.whole_wait
    if wait is None or wait.hour_ms is None or not wait.week_ms:
        return None
    times, added = wait.hour_ms / wait.week_ms, wait.hour_ms - wait.week_ms
    if times <= LONGER or added <= LONGER_MS:
        return None
    known = {"endpointing": wait.endpointing_ms, "transcription": wait.transcription_ms}
    parts = ", ".join(f"{name} {value / 1000:.2f} s" for name, value in known.items() if value is not None)
    whole = f"{wait.hour_ms / 1000:.2f} s from the end of the speech to the first sound"
    return f"makes a person who asks by voice wait {times:.2f} times as long as last week, {whole}" + (
        f" ({parts})" if parts else ""
    )


def _stale(observed: Observed) -> str | None:
    return None if observed.due.late_s is None else observed.due.text(observed.now)


def _skipping(observed: Observed) -> str | None:
    counts = _first_enough(observed.within(_1H), observed.within(_6H), without=())
    share = _share(counts, ("skipped",), without=())
    return f"{share:.0%} of the runs are skipped: users hold the server" if share > SKIPPING else None


def _suspect(observed: Observed) -> str | None:
    counts = _first_enough(observed.within(_1H), observed.within(_6H), without=("skipped",))
    share = _share(counts, ("suspect",), without=("skipped",))
    return f"{share:.0%} of the runs can't be trusted" if share > SUSPECT else None


def _cold(observed: Observed) -> str | None:
    for seconds in (_1H, _6H, _3D):
        runs = _runs(observed.within(seconds), without=("skipped",))
        if runs >= ENOUGH:
            since = observed.now - seconds * NS_PER_S
            share = sum(each >= since for each in observed.recent.cold) / runs
            return f"{share:.0%} of the runs had to load a model" if share > COLD else None
    return None


# As in deploy/prometheus, the most urgent first: how urgent, what it is about, and the text where it holds.
RULES: Mapping[str, tuple[Severity, About, Callable[[Observed], str | None]]] = {
    "VoiceTargetFailing": ("critical", "target", _failing),
    "VoiceProbeStale": ("critical", "probe", _stale),
    "VoiceAudioBad": ("critical", "audio", _bad_audio),
    "VoiceEveryAttemptMissed": ("critical", "latency", _every_attempt_missed),
    "VoiceFirstAudioLate": ("critical", "latency", _late_now),
    "VoiceErrorBudgetBurningFast": ("critical", "latency", _burning_fast),
    "VoiceErrorBudgetBurningSlowly": ("warning", "latency", _burning_slowly),
    "VoiceDriftFound": ("warning", "latency", _drift_found),
    "VoiceWholeWaitLonger": ("warning", "latency", _whole_wait_longer),
    "VoiceProbeSkipping": ("warning", "probe", _skipping),
    "VoiceProbeSuspect": ("warning", "probe", _suspect),
    "VoiceProbeCold": ("warning", "probe", _cold),
}
_OF_LATENCY = tuple(name for name, (_, about, _) in RULES.items() if about == "latency")
# As deploy/alertmanager/alertmanager.yml: one alert of latency is enough, the sharpest.
INHIBITS: Mapping[str, tuple[str, ...]] = {
    "VoiceTargetFailing": ("VoiceAudioBad", *_OF_LATENCY),
    "VoiceEveryAttemptMissed": _OF_LATENCY[1:],
    "VoiceFirstAudioLate": _OF_LATENCY[2:],
    "VoiceErrorBudgetBurningFast": ("VoiceErrorBudgetBurningSlowly",),
}


def _of(counts: Counts, outcomes: Sequence[Outcome]) -> str:
    return f"{count(counts, outcomes)} of {counted(count(counts, ATTEMPTS), 'recent attempt')}"


def _late(observed: Observed) -> str:
    last = observed.recent.last
    objective = "the objective" if last is None else ok_means(last.plan.target)
    return f"is late: {_of(observed.lately(), MISSED)} failed or missed {objective}"


def _burning(observed: Observed, missed: float, time: str) -> str:
    last = observed.recent.last
    objective = "the objective" if last is None else ok_means(last.plan.target)
    times = missed / (1 - OBJECTIVE_RATIO)
    return f"uses up its error budget {times:.1f} times as fast as it may: {missed:.0%} of {time} missed {objective}"


def _first_enough(*windows: Counts, without: Sequence[Outcome]) -> Counts:
    """The first window with enough runs in it, beside those of these outcomes."""
    enough: Iterator[Counts] = (each for each in windows if _runs(each, without) >= ENOUGH)
    return next(enough, {})


def _share(counts: Counts, outcomes: Sequence[Outcome], without: Sequence[Outcome]) -> float:
    runs = _runs(counts, without)
    return count(counts, outcomes) / runs if runs else 0.0


def _runs(counts: Counts, without: Sequence[Outcome]) -> int:
    return sum(n for outcome, n in counts.items() if outcome not in without)
