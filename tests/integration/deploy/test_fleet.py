"""The files for a fleet, as the programs that read them judge them."""

import subprocess
from pathlib import Path

import pytest
from released import ROOT
from victoria import victoria

FLEET = ROOT / "deploy" / "fleet"
RULES = FLEET / "voice_probe_fleet.yml"


def judge(*command: str | Path) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_vmalert_and_vmagent_take_their_files(request: pytest.FixtureRequest) -> None:
    programs = victoria(request.config)
    judge(programs / "vmalert", "-dryRun", f"-rule={RULES}")
    settings = f"-promscrape.config={FLEET / 'vmagent.yml'}"
    said = judge(programs / "vmagent", "-dryRun", settings, "-remoteWrite.url=http://127.0.0.1:1")
    assert "all the configs are ok" in said


def test_prometheus_takes_its_files(prometheus_binaries: Path) -> None:
    promtool = prometheus_binaries / "promtool"
    judge(promtool, "check", "rules", "--lint=all", "--lint-fatal", RULES)
    judge(promtool, "check", "config", "--agent", FLEET / "prometheus-agent.yml")
