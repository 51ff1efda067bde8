"""What an alert would say now, from the runs alone; and that its thresholds are those of deploy/prometheus."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from runs import START, record

from probe.drift import Verdict
from probe.drift.change import Drift, Moved
from probe.history.whole_waits import ENOUGH
from probe.recent import Recent, WholeWait
from probe.record import Failure, Outcome
from probe.report import alerts
from probe.report.due import STALE_S, Due
from probe.report.last_run import SILENCE_MS

ROOT = Path(__file__).parents[3]
RULES = (ROOT / "deploy/prometheus/voice_probe_alerts.yml").read_text("utf-8")
RECORDING = (ROOT / "deploy/prometheus/voice_probe_recording.yml").read_text("utf-8")
S = 10**9
NOW = START + 3 * 86_400 * S
LETTERS: dict[str, Outcome] = {".": "ok", "s": "slow", "f": "failed", "-": "skipped", "?": "suspect"}


def series(outcomes: str, *, every_s: float = 60, **fields: object) -> Recent:
    """Runs as letters, the last of which started half a minute ago."""
    starts = [NOW - 30 * S - round((len(outcomes) - 1 - n) * every_s * S) for n in range(len(outcomes))]
    runs = [(start, LETTERS[letter], 300.0) for start, letter in zip(starts, outcomes, strict=True)]
    return Recent("spark", "default", NOW - 86_400 * S, runs, last=record(), **fields)  # type: ignore[arg-type]


def said(
    recent: Recent, due: Due | None = None, verdict: Verdict | None = None, whole: WholeWait | None = None
) -> dict[str, str]:
    observed = alerts.observe(recent, due or Due(), verdict, NOW, whole)
    return {each.name: each.text for each in alerts.of_series(observed)}


@pytest.mark.parametrize(
    ("outcomes", "names"),
    [
        ("." * 30, []),
        (".....f.....", []),
        (".......ff", []),
        ("......fff", ["VoiceTargetFailing"]),
        ("f.f.f.f.f.", ["VoiceTargetFailing"]),
        ("fffff...", []),
        (".......sss", ["VoiceEveryAttemptMissed"]),
        ("s.s.s.s.s.", ["VoiceFirstAudioLate"]),
        ("sssss...", []),
        ("..........-----------", ["VoiceProbeSkipping"]),
        (".....-.....", []),
        ("......??????", ["VoiceProbeSuspect"]),
        ("f-f?f", ["VoiceTargetFailing"]),
    ],
)
def test_what_is_said_of_the_last_runs(outcomes: str, names: list[str]) -> None:
    """A row that is over raises no alert, a run that was no attempt breaks none."""
    found = [name for name in said(series(outcomes)) if not name.startswith("VoiceErrorBudget")]
    assert [name for name in found if name != "VoiceProbeSuspect" or "?" * 3 in outcomes] == names


def test_it_says_how_many_and_why() -> None:
    failure = Failure("connect", "refused", "", NOW - 40 * S, server="llm")
    text = said(series("......fff", failures=[failure]))["VoiceTargetFailing"]
    assert text == "fails: 3 of 9 recent attempts, now 3 in a row, last connect at llm/refused"
    late = said(series(".......sss"))["VoiceEveryAttemptMissed"]
    assert late == "is late: 3 of 10 recent attempts failed or missed first byte within 1000ms, now 3 in a row"


def test_recent_are_ten_minutes_an_hour_or_more() -> None:
    """As `voice_probe:runs:recent`: a rare schedule is judged by what it has."""
    assert said(series("f.f.f.f.f.", every_s=600)).keys() == {"VoiceTargetFailing"}
    assert said(series("f.f.f.f.", every_s=4 * 3600)).keys() == {"VoiceTargetFailing"}
    counted = alerts.observe(series("f" + "." * 60), Due(), None, NOW).lately()
    assert counted == {"ok": 10}


def test_the_error_budget() -> None:
    """Burning fast: over 6 hours and now; slowly: over 3 days, of which most are only counted."""
    fast = "s.." * 130 + "s"
    assert "VoiceErrorBudgetBurningFast" in said(series(fast))
    slow = series("s" + "." * 11 + "s" + "." * 5, older={"ok": 80, "slow": 9})
    text = said(slow)["VoiceErrorBudgetBurningSlowly"]
    assert text.startswith(
        "uses up its error budget 2.1 times as fast as it may: 10% of 3 days missed first byte within"
    )


def test_bad_audio_now_and_then() -> None:
    bad = [Failure("audio", "silent", "", NOW - ago * S, server="tts") for ago in (300, 1500)]
    assert said(series(".....f..........f.....", failures=bad))["VoiceAudioBad"].endswith(
        "2 attempts with bad audio, last silent"
    )
    assert "VoiceAudioBad" not in said(series(".....f..........f.....", failures=bad[:1]))
    assert "VoiceAudioBad" not in said(series("..............fff", failures=bad))


def test_drift_cold_runs_and_no_runs() -> None:
    whole = Moved("combined_ttfb", 300.0, 390.0, certain=True)
    verdict = Verdict("slower", 500, Drift(START, START, "slower", "combined_ttfb", 0.99), (whole,), 0, None, ())
    assert said(series("." * 9), verdict=verdict)["VoiceDriftFound"].startswith(
        "has become slower: combined TTFB +30 %"
    )
    little = replace(verdict, now=(replace(whole, after_ms=305.0),))
    assert said(series("." * 9), verdict=little) == {}
    cold = series("." * 9)
    assert said(replace(cold, cold=[start for start, _, _ in cold.runs]))["VoiceProbeCold"].startswith("100%")
    due = Due(NOW - 700 * S, 60.0, 700.0, NOW - 760 * S)
    assert said(series("." * 9), due) == {"VoiceProbeStale": "no run for 13 min; one is usual every 60 s"}


@pytest.mark.parametrize(
    ("hour", "week", "fires"),
    [
        (1300, 1000, True), (1200, 1000, False), (1180, 1000, False), (225, 150, False), (None, 1000, False),
        (1300, None, False),
    ],
    ids=["longer", "just as much", "under", "little", "few now", "few then"],
)  # fmt: skip
def test_the_whole_wait_against_that_of_the_week(hour: float | None, week: float | None, fires: bool) -> None:
    """The values of tests/rules/alerts_hearing.yml: the rule and the page say the same."""
    text = said(series("." * 9), whole=WholeWait(hour, week, 800, 250)).get("VoiceWholeWaitLonger")
    expected = (
        "makes a person who asks by voice wait 1.30 times as long as last week, 1.30 s from the end of the speech to"
        " the first sound (endpointing 0.80 s, transcription 0.25 s)"
    )
    assert text == (expected if fires else None)
    assert said(series("." * 9)) == {}, "a target that does not hear"


def test_nobody_measures_any_more() -> None:
    late = Due(NOW - 700 * S, 60.0, 700.0, NOW - 760 * S)
    stale, fresh = (alerts.observe(series("..."), each, None, NOW) for each in (late, Due(NOW, 60.0)))
    assert alerts.absent([stale, stale]) is not None
    assert alerts.absent([stale, fresh]) is None
    assert alerts.absent([]) is None


# What of each rule its condition here comes from; the text has to be in the rule's own.
SAME: dict[str, Sequence[str]] = {
    "VoiceTargetFailing": (
        f'all="failed"}}[5m])) >= {alerts.SEVERAL}', f"attempts_failed:recent > {alerts.SEVERAL - 0.1:g}",
        f"attempts:recent > {alerts.HALF}", f'all="complete"}}[5m])) >= {alerts.SEVERAL}',
    ),
    "VoiceAudioBad": (f"[1h])) > {alerts.BAD_AUDIO - 0.1:g}", f"> {alerts.ENOUGH - 0.1:g}", f">= {alerts.BAD_AUDIO}"),
    "VoiceEveryAttemptMissed": (f'all="missed"}}[5m])) >= {alerts.SEVERAL}',),
    "VoiceFirstAudioLate": (
        f"attempts:recent > {alerts.HALF}", f"attempts_missed:recent > {alerts.SEVERAL - 0.1:g}",
        f'all="ok"}}[5m])) >= {alerts.SEVERAL}',
    ),
    "VoiceErrorBudgetBurningFast": (f"> {alerts.FAST}\n", f"> {alerts.ENOUGH - 0.1:g}", "ratio_6h"),
    "VoiceErrorBudgetBurningSlowly": (f"> {alerts.SLOW}\n", f"> {alerts.ENOUGH - 0.1:g}", "ratio_3d"),
    "VoiceDriftFound": (f'voice_to_voice"}} > {alerts.DRIFTED}', "voice_probe_drift_state == 1"),
    "VoiceWholeWaitLonger": (
        f"mean_1w > {alerts.LONGER}\n", f"mean_1w > {alerts.LONGER_MS / 1000}\n", "voice_to_voice:mean_1h -",
    ),
    "VoiceProbeStale": (f"> {STALE_S}\n",),
    "VoiceProbeSkipping": (f"> {alerts.SKIPPING}\n", f"> {alerts.ENOUGH - 0.1:g}"),
    "VoiceProbeSuspect": (f"> {alerts.SUSPECT}\n", f"> {alerts.ENOUGH - 0.1:g}"),
    "VoiceProbeCold": (f"> {alerts.COLD}\n", f"> {alerts.ENOUGH - 0.1:g}"),
    "VoicePlayoutGaps": ("playout_gaps:ratio_recent > 0.2",),
}  # fmt: skip
# What no column of the history holds, or only a running daemon knows.
NOT_FROM_THE_HISTORY = {
    "VoiceProbeNotAsked", "VoiceAnswersGarbled",
    "VoiceDrift", "VoicePlayoutGaps", "VoiceProbeAbsent", "VoiceProbeRestarting", "VoiceProbeRunsMissed",
    "VoiceProbeSinkErrors", "VoiceProbeSpansDropped", "VoiceProbeConfigRefused", "VoiceMachineThrottled",
}  # fmt: skip


def rules() -> dict[str, tuple[str, str]]:
    """Each alert's expression, and its labels."""
    found = re.findall(r"- alert: (\w+)\n\s+expr: (.*?)\n\s+labels: (\{.*?\})", RULES, re.DOTALL)
    # A new machine may have rules beside these: only those of the voice probe are meant.
    return {name: (f"{expression}\n", labels) for name, expression, labels in found}


@pytest.mark.parametrize("name", SAME)
def test_thresholds_are_those_of_the_rule(name: str) -> None:
    expression, labels = rules()[name]
    assert [part for part in SAME[name] if part not in expression] == []
    if name in alerts.RULES:
        severity, about, _ = alerts.RULES[name]
        assert labels == f"{{severity: {severity}, about: {about}}}"


def test_no_rule_is_forgotten() -> None:
    assert set(rules()) == set(alerts.RULES) | NOT_FROM_THE_HISTORY


def test_windows_are_those_of_the_recording_rules() -> None:
    expected: Iterable[str] = (
        f"voice_to_voice_seconds_count[1h])) > {ENOUGH - 0.1:g}", "_sum[1w] offset 1d",
        f"vector({alerts.OBJECTIVE_RATIO})", f'increase_10m{{outcome=~"ok|slow|failed"}}) > {alerts.ENOUGH - 0.1:g}',
        f"attempts:recent > bool {alerts.SOME}",
        f'playout_gap_seconds_bucket{{position="next", le="{SILENCE_MS / 1000:g}"}}',
    )  # fmt: skip
    assert [each for each in expected if each not in RECORDING] == []


def test_what_is_held_back_is_what_alertmanager_holds_back() -> None:
    config = (ROOT / "deploy/alertmanager/alertmanager.yml").read_text("utf-8")
    sources = re.findall(r"source_matchers: \[alertname = (\w+)\]", config)
    assert set(sources) == set(alerts.INHIBITS)
