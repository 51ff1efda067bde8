"""`probe top` without a terminal: printed once, as text and as JSON; and how its lines fit any terminal."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from runs import failed, record, skipped

from probe.cli import main
from probe.history.writer import History
from probe.recent import Recent
from probe.report.day import SLOTS, Slot
from probe.report.now import Now, now
from probe.report.top import chart, screen

S = 10**9


def probe(state_dir: Path, *arguments: str, columns: int = 100) -> Result:
    return CliRunner(env={"COLUMNS": str(columns)}).invoke(main, ["top", *arguments, "--state-dir", str(state_dir)])


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with closing(History(tmp_path)) as found:
        yield found


def test_it_is_printed_once_where_there_is_no_terminal(history: History, tmp_path: Path) -> None:
    at = time.time_ns()
    for number in range(1, 6):
        history.append(record(number, started=at - (6 - number) * 60 * S, target="spark"))
        history.append(replace(failed(100 + number, started=at - (6 - number) * 60 * S), ended=at - S))
    result = probe(tmp_path)
    assert result.exit_code == 1
    summary, alert, _, first, *_ = result.stdout.splitlines()
    assert summary.endswith("2 targets: 1 failing, 1 good")
    assert alert == "! local, default fails: 5 of 5 recent attempts, now 5 in a row, last tts/no_audio"
    assert first.startswith("✗ local, default")
    assert "Failing: failed: tts, no_audio; for 5 min" in first
    assert "\x1b" not in result.stdout
    assert probe(tmp_path, "--target", "spark").exit_code == 0


def test_as_json(history: History, tmp_path: Path) -> None:
    history.append(record(1, started=time.time_ns() - 5 * S))
    result = probe(tmp_path, "--json")
    (card,) = json.loads(result.stdout)["targets"]
    assert (result.exit_code, card["state"], card["last"]["outcome"], len(card["day"]["slots"])) == (
        0,
        "Good",
        "ok",
        SLOTS,
    )


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [("....", 0), ("..fff", 1), ("..sss", 3), ("-----", 4)],
)
def test_exit_codes(history: History, tmp_path: Path, outcomes: str, code: int) -> None:
    at = time.time_ns()
    for number, letter in enumerate(outcomes, 1):
        started = at - (len(outcomes) - number + 1) * 60 * S
        made = {
            ".": record(number, started=started), "s": record(number, started=started, ttfb_ms=3000),
            "f": replace(failed(number, started=started), ended=started + S),
            "-": replace(skipped(number), started=started, ended=started + S),
        }[letter]  # fmt: skip
        history.append(made)
    assert probe(tmp_path, "--once").exit_code == code


def test_an_empty_history_and_none(history: History, tmp_path: Path) -> None:
    assert history.is_open
    result = probe(tmp_path)
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "no run yet")
    missing = probe(tmp_path / "nothing")
    assert (missing.exit_code, "there is no history in" in missing.stderr) == (2, True)


def test_a_schedule_of_the_configuration(history: History, tmp_path: Path) -> None:
    history.append(record(1, started=time.time_ns() - 600 * S))
    config = tmp_path / "probe.toml"
    config.write_text("[schedules.rare]\nevery_s = 900\n")
    assert "next run in 5 min" in probe(tmp_path, "--config", str(config)).stdout
    config.write_text("[schedules.often]\nevery_s = 10\n")
    assert "no run for 10 min" in probe(tmp_path, "--config", str(config)).stdout
    config.write_text("[schedules.x]\nevery_s = 0\n")
    assert probe(tmp_path, "--config", str(config)).exit_code == 2


NOW = 1_700_000_000 * S


def found(targets: int, outcome: str = "ok", name: str = "spark-01") -> Now:
    series = []
    for number in range(targets):
        starts = [NOW - 20 * S - n * 60 * S for n in range(10)]
        made = {"ok": record, "failed": failed}[outcome](target=f"{name}-{number}", started=starts[0])
        runs = [(start, (made.failure and "failed") or "ok", 300.0) for start in reversed(starts)]
        series.append(Recent(f"{name}-{number}", "default", NOW - 86_400 * S, runs, starts=starts, last=made))  # type: ignore[arg-type]
    return now(series, {}, NOW)


@pytest.mark.parametrize("width", [10, 40, 60, 80, 100, 200])
@pytest.mark.parametrize("height", [2, 5, 24, 60])
@pytest.mark.parametrize("targets", [0, 1, 30])
@pytest.mark.parametrize("outcome", ["ok", "failed"])
def test_it_fits_any_terminal(width: int, height: int, targets: int, outcome: str) -> None:
    lines = [click.unstyle(each) for each in screen(found(targets, outcome), width, height)]
    assert len(lines) <= height
    assert max(map(len, lines)) <= width


def test_wide_characters_take_two_columns() -> None:
    (line,) = [each for each in screen(found(1, name="音声"), 24) if "音" in each]
    text = click.unstyle(line)
    assert text.startswith("● 音声-0,…  ")
    assert len(text) + text.count("音") + text.count("声") <= 24


def test_what_has_no_room_is_counted() -> None:
    lines = [click.unstyle(each) for each in screen(found(30), 80, 20)]
    assert [len(lines), lines[-1]] == [20, "… 13 more"]
    every = screen(found(30), 80)
    assert len(every) == 2 + 60


def slots(*parts: Sequence[Slot]) -> list[Slot]:
    return [each for part in parts for each in part]


def test_the_chart_of_a_day() -> None:
    """Full height is the objective; failures and gaps are no bars; one failure in very many runs is no failed time."""
    quiet, good, late = Slot(None, 0, 0, 0), Slot(100.0, 15, 0, 0), Slot(990.0, 15, 0, 15)
    bad, rare, unmeasured = Slot(None, 15, 15, 0), Slot(300.0, 15, 1, 0), Slot(None, 3, 0, 0)
    day = slots([quiet], [good], [late], [bad], [rare], [unmeasured])
    assert chart(day, 6, 1000) == " ▁█✗▃·"
    assert chart(day, 3, 1000) == "▁✗▃"
    assert chart([quiet] * 4, 4, None) == "    "


def test_no_text_of_others_reaches_the_terminal() -> None:
    evil = found(1, name="a\x9b2J\x1b]0;title\x07\r\n")
    (line,) = [each for each in screen(evil, 100) if "2J" in each]
    assert not any(char in line for char in "\x9b\x07\r\n")
