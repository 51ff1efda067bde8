"""Which alerts the example Alertmanager keeps to itself while which others fire."""

import re
import time
from pathlib import Path

from incident import DEPLOY, alerting
from prometheus import Listener

TEXT = (DEPLOY / "prometheus" / "voice_probe_alerts.yml").read_text("utf-8")
ABOUT = dict(re.findall(r"- alert: (\w+).*?labels: {severity: \w+, about: (\w+)}", TEXT, re.DOTALL))
FIRING = [
    ("VoiceTargetFailing", "dead"),
    ("VoiceEveryAttemptMissed", "dead"),
    ("VoiceDrift", "dead"),
    ("VoiceAudioBad", "dead"),
    ("VoiceProbeSuspect", "dead"),
    ("VoiceEveryAttemptMissed", "late"),
    ("VoiceFirstAudioLate", "late"),
    ("VoiceErrorBudgetBurningFast", "late"),
    ("VoiceAudioBad", "late"),
    ("VoiceFirstAudioLate", "half"),
    ("VoiceErrorBudgetBurningFast", "half"),
    ("VoicePlayoutGaps", "half"),
    ("VoiceErrorBudgetBurningFast", "burning"),
    ("VoiceErrorBudgetBurningSlowly", "burning"),
    ("VoiceDrift", "burning"),
]
HEARD = {
    ("VoiceTargetFailing", "dead"),
    ("VoiceProbeSuspect", "dead"),
    ("VoiceEveryAttemptMissed", "late"),
    ("VoiceAudioBad", "late"),
    ("VoiceFirstAudioLate", "half"),
    ("VoiceErrorBudgetBurningFast", "burning"),
    ("VoiceDrift", "burning"),
}


def test_the_sharpest_alert_on_a_target_silences_the_others(alertmanager_binaries: Path, tmp_path: Path) -> None:
    with alerting(alertmanager_binaries, tmp_path) as parts:
        # The dead one's other scenario is late, which is news.
        other = _labels("VoiceFirstAudioLate", "dead") | {"scenario": "other"}
        parts.alertmanager.fire(*(_labels(name, target) for name, target in FIRING), other)
        wanted = {(name, target, "s") for name, target in HEARD} | {("VoiceFirstAudioLate", "dead", "other")}
        assert _settled(parts.alertmanager, len(FIRING) + 1, wanted) == wanted


def _labels(name: str, target: str) -> dict[str, str]:
    """As the rules make them: bad audio is known of the target only."""
    labels = {"alertname": name, "about": ABOUT[name], "target": target, "severity": "critical"}
    return labels if name == "VoiceAudioBad" else labels | {"scenario": "s"}


def _settled(alertmanager: Listener, alerts: int, wanted: set[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
    """Which are heard once all are known and what silences them is too, and at the latest after a minute."""
    deadline = time.monotonic() + 60
    while True:
        known = alertmanager.get("/api/v2/alerts")
        states = {
            (each["labels"]["alertname"], each["labels"]["target"], each["labels"].get("scenario", "s")): str(
                each["status"]["state"]
            )
            for each in known
        }
        heard = {key for key, state in states.items() if state == "active"}
        settled = len(states) == alerts and "unprocessed" not in states.values()
        if (settled and heard == wanted) or time.monotonic() > deadline:
            assert settled, states
            return heard
        time.sleep(0.2)
