"""`probe compare`: which runs are on which side, what is said of them, and the exit codes."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from runs import MS, START, failed, hearing, record, skipped

import golden
from probe.cli import main
from probe.drift.wording import NAMES
from probe.heard import Heard
from probe.history.writer import History
from probe.waits import WAITS

MINUTE = 60 * 10**9
# One has as much scatter as its neighbours differ by, in milliseconds.
SCATTER = (0, 7, -4, 11, -9, 3, -6, 8, -2, 5)


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """For an hour each, `spark` takes 300 ms and then 345 ms, `local` 300 ms all the time. They take turns."""
    folder = tmp_path_factory.mktemp("state")
    with closing(History(folder)) as history:
        for minute in range(120):
            started, scatter = START + minute * MINUTE, SCATTER[minute % 10]
            slower = 45 if minute >= 60 else 0
            history.append(record(2 * minute, started=started, ttfb_ms=300 + slower + scatter, target="spark"))
            history.append(record(2 * minute + 1, started=started, ttfb_ms=300 + scatter, target="local"))
        history.append(failed(1000, target="local", started=START + 121 * MINUTE))
        yield folder


def probe(state_dir: Path, *arguments: str, columns: int = 80) -> Result:
    # A terminal's time zone is in what it shows.
    env = {"COLUMNS": str(columns), "TZ": "UTC"}
    return CliRunner(env=env).invoke(main, ["compare", *arguments, "--state-dir", str(state_dir)])


def when(minute: int) -> str:
    return datetime.fromtimestamp(START / 1e9 + minute * 60, UTC).isoformat()


@pytest.mark.parametrize("columns", [60, 80, 100, 110])
def test_the_report(state_dir: Path, columns: int) -> None:
    result = probe(state_dir, "local", "spark", "--since", when(60), columns=columns)
    golden.check(f"compare_{columns}.txt", result.stdout)
    assert max(map(len, result.stdout.splitlines())) <= columns


@pytest.mark.parametrize(
    ("arguments", "code", "verdict"),
    [
        (("local", "spark", "--since", when(60)), 3, "SLOWER: B's first byte comes 45 ms later than A's (+15 %"),
        (("spark", "local", "--since", when(60)), 0, "FASTER: B's first byte comes 45 ms sooner than A's (-13 %"),
        (("spark", "local", "--until", when(60)), 0, "NO DIFFERENCE: B's first byte comes within 3 % of A's"),
        (("spark", "--since", f"..{when(60)}"), 3, "SLOWER: B's first byte comes 45 ms later"),
        (("local", "--since", f"..{when(60)}"), 0, "NO DIFFERENCE"),
        (("spark", "--since", f"{when(0)}..{when(60)}", "--until", f"{when(10)}..{when(70)}"), 3, "SLOWER"),
        (("local", "--since", f"{when(0)}..{when(8)}", "--until", f"{when(8)}..{when(16)}"), 4, "CAN'T TELL"),
        (("local", "--since", f"{when(0)}..{when(3)}", "--until", f"{when(3)}..{when(6)}"), 4, "A has 3 runs with"),
        (("local", "--since", f"{when(0)}..{when(121)}"), 4, "CAN'T TELL: no run with figures of a warm server: B"),
        (("000000", "0000ee"), 4, "CAN'T TELL: A has 1 run with figures, B 1"),
    ],
)  # fmt: skip
def test_the_verdict_and_the_exit_code(state_dir: Path, arguments: tuple[str, ...], code: int, verdict: str) -> None:
    result = probe(state_dir, *arguments)
    assert result.exit_code == code, result.output
    assert verdict in " ".join(result.stdout.split())


def test_two_runs_are_shown_side_by_side(state_dir: Path) -> None:
    (row,) = (line for line in probe(state_dir, "000000", "0000ee").stdout.splitlines() if line.startswith("combined"))
    assert row.split() == ["combined", "TTFB", "300ms", "350ms", "+50ms", "+17", "%", "-", "-"]


def test_json_is_one_document(state_dir: Path) -> None:
    result = probe(state_dir, "local", "spark", "--since", when(60), "--json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["state"]) == (3, "slower")
    assert document["a"] | {"first": 0, "last": 0} == {
        "name": "local, default", "runs": 61, "usable": 60, "outcomes": {"failed": 1, "ok": 60}, "first": 0, "last": 0,
    }  # fmt: skip
    whole = document["stages"]["combined_ttfb"]
    assert (whole["a_ms"], whole["b_ms"], whole["difference_ms"], whole["state"]) == (301.5, 346.5, 45, "slower")
    assert whole["interval_ms"][0] < 45 < whole["interval_ms"][1]
    assert document["stages"]["llm_ttft"]["state"] == "same"
    assert document["moved"] == ["tts_ttfb"]
    assert "Failed: 1.6 % of A, 0.0 % of B" in document["remarks"][0]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "which target? There is: local, spark"),
        (("spark",), "compare what? Two targets, two run ids, or two spans of time"),
        (("nobody",), "no target 'nobody' has runs; there is: local, spark"),
        (("spark", "nobody"), "no target 'nobody' has runs; there is: local, spark"),
        (("nobody", "else"), "no run 'nobody' in"),
        (("000000", "0000ee", "--since", "7d"), "--since, --until and --scenario are of targets"),
        (("spark", "local", "--scenario", "x"), "no runs of 'x' on either side; there is: default"),
        (("spark", "--since", "7d..soon"), "'soon' is neither an age such as 24h or 7d nor a date"),
    ],
)
def test_bad_usage_is_one_line(state_dir: Path, arguments: tuple[str, ...], complaint: str) -> None:
    result = probe(state_dir, *arguments)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert complaint in result.stderr


def test_several_scenarios_are_not_mixed(tmp_path: Path) -> None:
    with closing(History(tmp_path)) as history:
        history.append(record(1, scenario="long"))
        history.append(record(2, scenario="short"))
        history.append(skipped(3))
        assert "--scenario: choose one of default, long, short" in probe(tmp_path, "local", "local").stderr
        assert probe(tmp_path, "local", "local", "--scenario", "long").exit_code == 4


def test_a_change_of_the_whole_wait_alone_is_seen(tmp_path: Path) -> None:
    """What comes after the question is as before: the server takes longer to find the end of the speech."""
    with closing(History(tmp_path)) as history:
        for minute in range(60):
            whole, slower = hearing(minute), 400 if minute >= 30 else 0
            turn = whole.turns[0]
            heard = turn.heard or Heard()
            ended = (heard.speech_end or 0) - (slower + SCATTER[minute % 10]) * MS
            turn = replace(turn, heard=replace(heard, speech_end=ended))
            history.append(replace(whole, started=START + minute * MINUTE, turns=(turn,)))
    result = probe(tmp_path, "--since", f"..{when(30)}")
    assert result.exit_code == 3, result.output
    said = " ".join(result.stdout.split())
    assert "SLOWER: B's first sound comes 400 ms later than A's" in said
    assert "most of it endpointing (+400 ms)" in said
    shown = [line.split("  ")[0] for line in result.stdout.splitlines()]
    assert [each for each in shown if each in NAMES.values()] == [NAMES[each] for each in WAITS["speech"]]
