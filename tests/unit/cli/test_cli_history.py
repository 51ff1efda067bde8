"""The commands that read the history."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from runs import START, failed, record, skipped, suspect

from probe.cli import main
from probe.cli.state import default_state_dir
from probe.cli.time_option import MOMENT
from probe.history.file import FILE_NAME
from probe.history.reader import reading
from probe.history.writer import History
from probe.report import document
from probe.report.runs import sparkline

MINUTE = 60 * 10**9


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept")
    with closing(History(folder)) as history:
        for number in range(1, 9):
            target = "spark" if number % 2 else "local"
            history.append(record(number, started=START + number * MINUTE, ttfb_ms=100 * number, target=target))
        history.append(failed(9, started=START + 9 * MINUTE))
        history.append(skipped(10))
        history.append(suspect(11))
    return folder


@pytest.fixture
def state_dir(kept: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy: the commands read beside a daemon that has it open."""
    with closing(History(shutil.copytree(kept, tmp_path, dirs_exist_ok=True))):
        yield tmp_path


def probe(state_dir: Path | str, *arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(main, [*arguments, "--state-dir", str(state_dir)])


def listed(state_dir: Path, *arguments: str) -> list[dict[str, Any]]:
    result = probe(state_dir, "history", "--json", *arguments)
    assert result.exit_code == 0
    runs: list[dict[str, Any]] = json.loads(result.stdout)["runs"]
    return runs


def test_history_lists_runs_and_draws_them(state_dir: Path) -> None:
    result = probe(state_dir, "history")
    assert result.exit_code == 0
    started = ["00000a", "00000b", *(f"{number:06x}" for number in range(1, 10))]
    assert re.findall(r"^\d\d-\d\d \d\d:\d\d:\d\d  (\w{6})  ", result.stdout, re.MULTILINE) == started
    assert "tts, no_audio: no audio" in result.stdout
    means = "(ok: first byte within 1000ms)"
    figures = "first byte: lowest 100ms, median 400ms, highest 700ms"
    assert f"spark, default: 4 ok {means}\n  ▁▃▆█\n  {figures}" in result.stdout
    assert (
        "local, default: 4 ok, 1 failed, 1 suspect, 1 skipped (ok: first byte within 1000ms)\n  ··▁▃▆█✗\n"
        in result.stdout
    )


@pytest.mark.parametrize("columns", [60, 80, 100, 140])
def test_history_is_as_wide_as_the_terminal_and_says_the_whole_reason(state_dir: Path, columns: int) -> None:
    result = CliRunner(env={"COLUMNS": str(columns)}).invoke(main, ["history", "--state-dir", str(state_dir)])
    assert max(map(len, result.stdout.splitlines())) <= columns
    reason = (
        "tts, no_audio: no audio for a text of 15 characters: nothing for 10 s; TTS server: can't say 'cross the road?'"
    )
    assert reason in " ".join(result.stdout.split())
    assert "the event loop was late by 31 ms" in result.stdout


def test_the_end_of_an_id_is_enough(state_dir: Path) -> None:
    assert "20231114T221320Z-000009" in probe(state_dir, "show", "000009").stdout


def test_the_last_run_has_a_name(state_dir: Path) -> None:
    assert "20231114T221320Z-00000b" in probe(state_dir, "show", "last").stdout


def test_the_last_run_of_nothing_is_one_line(tmp_path: Path) -> None:
    with closing(History(tmp_path)):
        result = probe(tmp_path, "show", "last")
    assert (result.exit_code, "no runs in" in result.stderr) == (2, True)


def test_follow_goes_on_with_each_run_as_it_comes(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing comes it waits; Ctrl-C ends it."""
    waits = iter([[record(21, ttfb_ms=123, target="spark"), failed(22)], [], [record(23)], None])

    def wait(_seconds: float) -> None:
        if (came := next(waits)) is None:
            raise KeyboardInterrupt
        with closing(History(state_dir)) as history:
            for each in came:
                history.append(each)

    monkeypatch.setattr("probe.cli.following.time", SimpleNamespace(sleep=wait))
    result = probe(state_dir, "history", "--follow", "--limit", "1")
    *_, first, second, third, _ = result.stdout.split("\n")
    assert result.exit_code == 130
    assert first.endswith("  000015  spark, default  ok  first byte 123ms, first sound 223ms")
    assert "  000016  local, default  failed  tts, no_audio: no audio for a text" in second
    assert "  000017  local, default  ok  " in third


def test_follow_shows_only_what_was_asked_for(state_dir: Path) -> None:
    with reading(state_dir) as reader, closing(History(state_dir)) as history:
        newest = reader.newest()
        history.append(record(31, target="local"))
        history.append(record(32, target="spark"))
        found = [each.plan.run_id[-2:] for _, each in reader.newer(newest, "spark", None)]
        assert (found, list(reader.newer(newest, None, "nothing"))) == (["20"], [])
        assert len(list(reader.newer(newest, None, "default"))) == 2


def test_history_as_json_is_one_document_with_every_outcome(state_dir: Path) -> None:
    runs = listed(state_dir)
    assert [run["outcome"] for run in runs] == ["ok"] * 8 + ["failed", "skipped", "suspect"]
    assert runs[2]["response_ttfb_ms"] == 300
    assert runs[8]["failure"]["reason"] == "no_audio"
    assert runs[9]["response_ttfb_ms"] is None


def test_history_is_filtered(state_dir: Path) -> None:
    assert [run["run_id"][-1:] for run in listed(state_dir, "--target", "spark")] == ["1", "3", "5", "7"]
    assert listed(state_dir, "--scenario", "nothing") == []
    assert [run["run_id"][-1:] for run in listed(state_dir, "--limit", "2")] == ["a", "b"]
    since = datetime.fromtimestamp(START / 1e9 + 7 * 60, UTC).isoformat()
    assert [run["run_id"][-1:] for run in listed(state_dir, "--since", since)] == ["7", "8", "9"]


def test_no_such_run_is_no_error(state_dir: Path) -> None:
    result = probe(state_dir, "history", "--target", "nobody")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("No such run in")


def test_show_is_the_report_with_its_timeline(state_dir: Path) -> None:
    result = probe(state_dir, "show", "20231114T221320Z-000009")
    assert result.exit_code == 0
    for expected in (
        "Connected: LLM ws://localhost:8002/ws",
        "└─ First token (LLM TTFT: 50ms)",
        'TTS #2: Sending "cross the road?" (3 words)',
        "CHUNK BREAKDOWN",
        "FAILED in chunk 2, stage tts, no_audio",
    ):
        assert expected in result.stdout
    assert "22000 bytes" not in result.stdout
    assert "22000 bytes" in probe(state_dir, "show", "--verbose", "20231114T221320Z-000009").stdout


def test_show_json_is_the_document_of_the_run(state_dir: Path) -> None:
    run = record(3, started=START + 3 * MINUTE, ttfb_ms=300, target="spark")
    shown = json.loads(probe(state_dir, "show", "--json", run.plan.run_id).stdout)
    assert shown == json.loads(json.dumps(document.document(run)))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("show", "nobody"), "no run 'nobody' in"),
        (("show", "2023"), "more than one run begins or ends with '2023'"),
        (("history", "--json", "--follow"), "--json and --follow exclude each other"),
        (("history", "--since", "soon"), "'soon' is neither an age such as 24h or 7d nor a date"),
        (("backfill", "--label", "job"), "'job' is not NAME=VALUE"),
        (("backfill", "--label", "target=x"), "the series have a label of that name already"),
    ],
)
def test_bad_usage_is_one_line(state_dir: Path, arguments: tuple[str, ...], complaint: str) -> None:
    result = probe(state_dir, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert complaint in result.stderr and result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", [("history",), ("show", "x"), ("backfill",)])
def test_no_history_is_one_line(tmp_path: Path, command: tuple[str, ...]) -> None:
    result = probe(tmp_path / "none", *command)
    assert result.exit_code == 2
    assert "there is no history in" in result.stderr and result.stderr.count("\n") == 1
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("command", [("history",), ("show", "x"), ("backfill",)])
def test_a_file_that_is_no_history_is_one_line(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no database" * 100)
    result = probe(tmp_path, *command)
    assert result.exit_code == 1
    assert "not a database" in result.stderr and result.stderr.count("\n") == 1


def test_backfill_leaves_out_what_prometheus_still_writes(tmp_path: Path) -> None:
    now = int(datetime.now().astimezone().timestamp()) * 10**9
    with closing(History(tmp_path)) as history:
        history.append(record(1, started=now - 5 * 60 * MINUTE))
        history.append(record(2, started=now - MINUTE))
    default, all_of_it = probe(tmp_path, "backfill").stdout, probe(tmp_path, "backfill", "--until", "0s").stdout
    assert default.count("\nvoice_probe_up{") == 1
    assert all_of_it.count("\nvoice_probe_up{") == 2
    assert default.endswith("# EOF\n")


def test_the_state_directory_is_systemds_then_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    assert default_state_dir() == Path("/home/me/.local/state/voice-probe")
    monkeypatch.setenv("XDG_STATE_HOME", "/xdg")
    assert default_state_dir() == Path("/xdg/voice-probe")
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/probe:/var/lib/more")
    assert default_state_dir() == Path("/var/lib/probe")


@pytest.mark.parametrize(
    ("text", "ago"), [("90s", timedelta(seconds=90)), ("24h", timedelta(days=1)), ("1.5d", timedelta(days=1.5))]
)
def test_a_moment_is_an_age(text: str, ago: timedelta) -> None:
    told = datetime.fromtimestamp(MOMENT.convert(text, None, None) / 1e9).astimezone()
    assert abs(datetime.now().astimezone() - ago - told) < timedelta(minutes=1)


def test_a_moment_is_a_date() -> None:
    assert MOMENT.convert("2023-11-14T22:13:20Z", None, None) == START
    assert MOMENT.convert("2023-11-14T23:13:20+01:00", None, None) == START


def test_a_sparkline_spans_its_values() -> None:
    assert sparkline([1, None, 8, 4.5]) == "▁·█▅"
    assert sparkline([3, 3]) == "▁▁"
    assert sparkline([]) == ""
