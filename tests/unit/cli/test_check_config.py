"""`probe check-config`: what it warns of, and what it shows."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from runs import record, skipped

from probe.cli import main
from probe.history.writer import History


@pytest.fixture(autouse=True)
def _no_history_of_ones_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "nowhere"))


def check(path: Path, text: str, *arguments: str) -> Result:
    path.write_text(text)
    return CliRunner().invoke(main, ["check-config", str(path), *arguments])


def test_a_warning_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "probe.toml"
    text = "[targets.a.limits]\nllm_s = 200"
    result = check(path, text)
    good = f"{path}: good (targets: a; scenarios: default; schedules: default)"
    assert (result.exit_code, " ".join(result.stdout.split())) == (0, good)
    warning = "targets.a.limits.llm_s (200) is over run_s (120), which ends the run before"
    assert result.stderr == f"{path}: warning: {warning}\n"
    assert json.loads(check(path, text, "--json").stdout)["warnings"] == [warning]


def test_without_a_history_nothing_is_known_of_how_long_runs_take(tmp_path: Path) -> None:
    text = f'[daemon]\nstate_dir = "{tmp_path}/none"\n[schedules.s]\nevery_s = 1'
    assert check(tmp_path / "probe.toml", text).stderr == ""


def test_a_schedule_that_its_runs_do_not_fit_into_is_a_warning(tmp_path: Path) -> None:
    with closing(History(tmp_path)) as history:
        for number in range(3):
            history.append(record(number, ttfb_ms=3000))
        history.append(skipped(9))
    text = f'[daemon]\nstate_dir = "{tmp_path}"\n[schedules."a b"]\nevery_s = '
    path = tmp_path / "probe.toml"
    assert check(path, text + "3").stderr == (
        f'{path}: warning: schedules."a b".every_s (3) is less than its last runs took (3 s)\n'
    )
    assert check(path, text + "4").stderr == ""


def test_show_prints_what_is_in_effect_and_nothing_else_on_stdout(tmp_path: Path) -> None:
    path = tmp_path / "probe.toml"
    result = check(path, "[targets.a]\nvoice = 'leo'", "--show")
    assert result.exit_code == 0
    assert 'voice = "leo"' in result.stdout and "[self_check]\nmax_lag_ms = 20.0" in result.stdout
    assert "good" not in result.stdout
    document = json.loads(check(path, "[targets.a]\nvoice = 'leo'", "--show", "--json").stdout)
    assert document["settings"]["targets"]["a"]["tts"]["voice"] == "leo"
    assert document["settings"]["history"]["keep_days"] == 90
