"""`probe drift`: what it prints, as text, JSON and CSV, and its exit codes."""

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from drifted import drift, fill
from series import DAY, noisy, spoken, step, watched

from probe.cli import main
from probe.drift import Monitor
from probe.drift.state import Kept, encode
from probe.history.drift_states import DriftStates
from probe.history.reader import reading
from probe.machine.state import GpuState, HostState, MachineState
from probe.waits import WAITS

AT = 2 * DAY + 30
RUNS = AT + 150


@pytest.fixture(scope="module")
def drifted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drifted")
    fill(folder, noisy(RUNS, factors=step(AT, 1.3)))
    fill(folder, noisy(300, seed=2), target="local")
    return folder


@pytest.fixture(scope="module")
def shown_of_both(drifted: Path) -> str:
    """The text of both series, as wide as the tests' terminal."""
    return drift(drifted).stdout


@pytest.fixture(scope="module")
def document(drifted: Path) -> dict[str, Any]:
    """What `--json` says of both."""
    result = drift(drifted, "--json")
    assert result.exit_code == 3
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_the_verdict_is_a_sentence_and_the_exit_code_3(drifted: Path) -> None:
    result = drift(drifted, "--target", "spark")
    assert result.exit_code == 3
    first = result.stdout.splitlines()[0]
    assert first.startswith("spark, joke: combined TTFB +")
    assert re.search(r" UTC, all of it TTS TTFB \(\+(2[89]|3\d) %\)$", first)
    assert re.search(r"\n  combined TTFB  [▁-█]+\n", result.stdout)
    assert "^" in result.stdout
    assert f"spark-r{AT:06}"[:-1] in result.stdout


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_it_is_as_wide_as_the_terminal_and_no_change_is_cut(
    drifted: Path, document: dict[str, Any], columns: int
) -> None:
    whole = " ".join(document["series"][1]["changes"][0]["what"].split())
    runner = CliRunner(env={"COLUMNS": str(columns)})
    shown = runner.invoke(main, ["drift", "--state-dir", str(drifted)]).stdout
    assert max(map(len, shown.splitlines())) <= columns
    assert whole in " ".join(shown.split())


def test_all_is_well(drifted: Path) -> None:
    result = drift(drifted, "--target", "local")
    assert result.exit_code == 0
    assert result.stdout.startswith("local, joke: no drift: combined TTFB 5")
    assert "no change was found" in result.stdout


def test_json_has_every_series(document: dict[str, Any]) -> None:
    local, spark = document["series"]
    assert (local["target"], local["state"], local["changes"]) == ("local", "stable", [])
    assert (spark["state"], spark["stage"]) == ("slower", "tts_ttfb")
    assert spark["stages"]["tts_ttfb"]["ratio"] == pytest.approx(1.3, abs=0.04)
    (change,) = spark["changes"]
    assert change["direction"] == "slower"
    assert change["since_ts"] == spark["since_ts"]
    assert change["runs_after"][0] > change["runs_before"][-1]


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Beside a target that was asked in text, one that hears, whose transcript takes half as long again."""
    folder = tmp_path_factory.mktemp("heard")
    fill(folder, spoken(RUNS, factors=lambda number: (1.0, 1.5 if number >= AT else 1.0)))
    fill(folder, noisy(300, seed=2), target="local")
    return folder


def test_of_a_target_that_hears_the_whole_wait_is_judged(heard: Path) -> None:
    shown = drift(heard, "--target", "spark").stdout
    assert re.match(r"spark, joke: voice to voice \+\d+ % since .* UTC, all of it transcription \(\+[45]\d %\)", shown)
    rows = re.findall(r"^  (\S[\w ]*\S) +[▁-█]+$", shown, re.MULTILINE)
    assert rows == ["voice to voice", "endpointing", "transcription", "LLM TTFT", "LLM decoding", "TTS TTFB"]
    local, spark = json.loads(drift(heard, "--json").stdout)["series"]
    assert (spark["stage"], {*spark["stages"]}) == ("transcription", {*WAITS["speech"]})
    assert ({*local["stages"]}, "cold_voice_to_voice_ms" in local) == ({*WAITS["text"]}, False)
    assert (spark["cold_runs"], spark["cold_ttfb_ms"]) == (1, None)
    assert spark["cold_voice_to_voice_ms"] > 1000
    (row,) = csv.DictReader(io.StringIO(drift(heard, "--csv").stdout))
    assert float(row["transcription_after_ms"]) > 1.3 * float(row["transcription_before_ms"])
    assert (row["stage"], row["combined_ttfb_before_ms"]) == ("transcription", "")
    assert "voice_to_voice_before_ms" not in drift(heard, "--csv", "--target", "local").stdout


def test_csv_has_a_line_for_each_change(drifted: Path) -> None:
    (row,) = csv.DictReader(io.StringIO(drift(drifted, "--csv").stdout))
    assert (row["target"], row["kind"], row["direction"], row["stage"]) == ("spark", "latency", "slower", "tts_ttfb")
    assert float(row["tts_ttfb_after_ms"]) / float(row["tts_ttfb_before_ms"]) == pytest.approx(1.3, abs=0.06)


def test_what_is_older_is_not_shown_but_learned_from(drifted: Path) -> None:
    told: dict[str, Any] = json.loads(drift(drifted, "--json", "--since", "1h", "--target", "spark").stdout)
    assert told["series"][0]["changes"] == []
    assert told["series"][0]["state"] == "slower"


def test_too_little_and_other_serving_are_told(tmp_path: Path) -> None:
    runs = list(noisy(100))
    fill(
        tmp_path, [*runs[:70], *(replace(each, serving=replace(each.serving, config="12345678")) for each in runs[70:])]
    )
    result = drift(tmp_path)
    assert result.exit_code == 0
    assert "not enough yet: 29 of 60 runs" in result.stdout
    assert "model, voice or settings changed: configuration 00000000 → 12345678" in result.stdout
    (row,) = csv.DictReader(io.StringIO(drift(tmp_path, "--csv").stdout))
    assert row["kind"] == "serving"
    assert json.loads(drift(tmp_path, "--json").stdout)["series"][0]["changes"][0]["kind"] == "serving"


def test_an_improvement_is_no_failure(tmp_path: Path) -> None:
    fill(tmp_path, noisy(RUNS, factors=step(AT, 0.7)))
    result = drift(tmp_path, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["series"][0]["state"] == "faster"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--target", "nobody"], "no such run"),
        (["--json", "--csv"], "exclude each other"),
        (["--since", "soon"], "neither an age"),
        (["--config", "nowhere.toml"], "there is no such file; `probe init` writes one"),
        (["--calibrate", "--target", "local"], "days are needed"),
    ],
)
def test_bad_usage_is_one_line(drifted: Path, arguments: list[str], complaint: str) -> None:
    result = drift(drifted, *arguments)
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_no_history(tmp_path: Path) -> None:
    result = drift(tmp_path)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)


def test_the_threshold_comes_from_the_configuration(drifted: Path, tmp_path: Path) -> None:
    config = tmp_path / "probe.toml"
    config.write_text("[drift]\nthreshold = 100\nleast_change_percent = 50")
    assert drift(drifted, "--config", str(config)).exit_code == 0


@pytest.fixture(scope="module")
def capped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same change, on a machine whose clocks are capped since then."""
    folder = tmp_path_factory.mktemp("capped")
    free = MachineState(HostState(kernel="6.14"), (GpuState(sm_mhz=2400, reasons=()),), "580")
    slow = replace(free, gpus=(GpuState(sm_mhz=800, reasons=("power_cap",)),))
    fill(folder, noisy(RUNS, factors=step(AT, 1.3)), machine=lambda place: slow if place >= AT else free)
    return folder


def test_what_changed_at_the_same_time_is_in_the_verdict(capped: Path) -> None:
    shown = drift(capped).stdout
    said = "at the same time the SM clock went from 2.4 to 0.8 GHz (power cap)"
    assert said in shown.splitlines()[0]
    assert re.search(r"What else changed:\n +\d+ \w+ \d\d:\d\d UTC +GPU clocks capped: power cap$", shown, re.MULTILINE)


def test_json_has_it_beside_each_change_and_as_events(capped: Path) -> None:
    (series,) = json.loads(drift(capped, "--json").stdout)["series"]
    (change,) = series["changes"]
    assert change["beside"][0]["figure"] == "gpu_sm_ghz"
    assert (change["beside"][0]["from"], change["beside"][0]["to"]) == (2.4, 0.8)
    assert [(each["kind"], each["run"]) for each in series["events"]] == [("clock_cap", f"spark-r{AT:06}")]
    assert series["verdict"].endswith("(power cap)")


def test_nothing_is_said_of_a_machine_that_was_not_read(shown_of_both: str, document: dict[str, Any]) -> None:
    assert "at the same time" not in shown_of_both
    assert "What else changed" not in shown_of_both
    assert document["series"][0]["events"] == []


def test_what_the_daemon_knows_is_shown_and_with_other_settings_what_they_find(tmp_path: Path) -> None:
    points = [*noisy(120)]
    fill(tmp_path, points)
    with reading(tmp_path) as reader:
        last = [*reader.points("spark", "joke")][-1]
    monitor, _ = watched(noisy(70), Monitor(threshold=12.0))
    DriftStates(tmp_path).save("spark", "joke", encode(("spark", "joke"), Kept(last.run_id, monitor, {})))
    config = tmp_path / "probe.toml"

    def runs_with(*arguments: str) -> int:
        runs: int = json.loads(drift(tmp_path, "--json", *arguments).stdout)["series"][0]["runs"]
        return runs

    assert runs_with() == 69
    config.write_text("[drift]\nthreshold = 12.0\n")
    assert runs_with("--config", str(config)) == 69
    config.write_text("[drift]\nthreshold = 13.0\n")
    assert runs_with("--config", str(config)) == 119
