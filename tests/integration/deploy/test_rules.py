"""Rules and example files, as Prometheus' and Alertmanager's own tools judge them."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
ALERTMANAGER = DEPLOY / "alertmanager" / "alertmanager.yml"
RULE_TESTS = sorted((ROOT / "tests" / "rules").glob("*.yml"))


def judge(program: Path, *arguments: str | Path) -> str:
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_takes_the_example_configuration_and_its_rules(prometheus_binaries: Path) -> None:
    said = judge(prometheus_binaries / "promtool", "check", "config", DEPLOY / "prometheus" / "prometheus.yml")
    assert "2 rule files found" in said


def test_promtool_finds_no_rule_twice(prometheus_binaries: Path) -> None:
    rules = DEPLOY.glob("prometheus/voice_probe_*.yml")
    judge(prometheus_binaries / "promtool", "check", "rules", "--lint=all", "--lint-fatal", *rules)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.stem)
def test_rules_do_what_they_say(prometheus_binaries: Path, path: Path) -> None:
    judge(prometheus_binaries / "promtool", "test", "rules", path)


def test_amtool_takes_the_example_configuration(alertmanager_binaries: Path) -> None:
    assert "SUCCESS" in judge(alertmanager_binaries / "amtool", "check-config", ALERTMANAGER)


@pytest.mark.parametrize(("severity", "receiver"), [("critical", "page"), ("warning", "ticket")])
def test_only_what_is_critical_wakes_somebody(alertmanager_binaries: Path, severity: str, receiver: str) -> None:
    labels = (f"severity={severity}", "alertname=VoiceFirstAudioLate", "target=local", "scenario=default")
    routed = judge(alertmanager_binaries / "amtool", "config", "routes", "test", "--config.file", ALERTMANAGER, *labels)
    assert routed.strip() == receiver
