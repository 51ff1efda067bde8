"""`probe run --runs` and `--for`: how many runs there are, when it stops, what goes where and the exit code."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from runs import PLAN, failed, record

from probe.cli import main, several
from probe.cli.several import Amount
from probe.plan import Plan
from probe.record import RunRecord


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(several, "PAUSE_S", 0)


class Servers:
    """Each run comes to this end; `stop` is set during the run of that number."""

    def __init__(self, ends: Sequence[RunRecord], stopped_in: int = 0) -> None:
        self.ends, self.stopped_in, self.plans, self.stop = list(ends), stopped_in, list[Plan](), asyncio.Event()

    async def once(self, plan: Plan, label: str) -> RunRecord:
        assert label.startswith(f"run {len(self.plans) + 1}")
        self.plans.append(plan)
        if len(self.plans) == self.stopped_in:
            self.stop.set()
        return replace(self.ends[(len(self.plans) - 1) % len(self.ends)], plan=plan)

    async def repeat(self, amount: Amount, **options: Any) -> list[RunRecord]:
        return await several.repeat(PLAN, amount, self.once, self.stop, **options)


async def test_each_run_has_ids_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    servers = Servers([record()])
    records = await servers.repeat(Amount(runs=3))
    assert len({each.plan.run_id for each in records}) == len({each.plan.trace_id for each in records}) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert [line.partition(":")[0] for line in captured.err.splitlines()] == ["run 1 of 3", "run 2 of 3", "run 3 of 3"]


async def test_only_the_first_run_can_be_cold() -> None:
    records = await Servers([record()]).repeat(Amount(runs=2), cold=True)
    assert [each.cold for each in records] == [True, None]


async def test_no_run_begins_after_the_time() -> None:
    assert await Servers([record()]).repeat(Amount(duration_s=0)) == []
    assert Amount(duration_s=5).over(3, 4.9) is False
    assert Amount(duration_s=5).over(3, 5.0) is True
    assert Amount(runs=3, duration_s=5).over(3, 0) is True


async def test_an_interrupted_run_is_not_counted() -> None:
    servers = Servers([record()], stopped_in=3)
    assert len(await servers.repeat(Amount(runs=9))) == 2


async def test_three_failures_in_a_row_are_enough(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(await Servers([failed()]).repeat(Amount(runs=9))) == 3
    assert "3 failures in a row: no more runs." in capsys.readouterr().err
    assert len(await Servers([failed(), failed(), record()]).repeat(Amount(runs=9))) == 9


def probe(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["run", *arguments])


@pytest.mark.parametrize(("ends", "code"), [([record()], 0), ([record(), record(ttfb_ms=2000)], 3), ([failed()], 1)])
def test_the_exit_code_is_that_of_the_worst(monkeypatch: pytest.MonkeyPatch, ends: list[RunRecord], code: int) -> None:
    monkeypatch.setattr(several, "_records", lambda *_: (ends, False))
    assert probe("--runs", "2").exit_code == code
    result = probe("--runs", "2", "--json")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["interrupted"], len(document["runs"])) == (code, False, len(ends))


def test_ctrl_c_shows_what_there_is_and_exits_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(several, "_records", lambda *_: ([record()], True))
    result = probe("--for", "5m")
    assert result.exit_code == 130
    assert "1 run: 1 ok" in result.stdout
    assert result.stderr.endswith("probe run: interrupted\n")


def test_ctrl_c_in_the_first_run_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(several, "_records", lambda *_: ([], True))
    result = probe("--runs", "3")
    assert (result.exit_code, result.stdout) == (130, "")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--for", "soon"], "'soon' is no duration such as 90s, 5m or 2h"),
        (["--for", "0s"], "'0s' is no duration"),
        (["--runs", "0"], "0 is not in the range"),
        (["--runs", "2", "--verbose"], "--save-audio, --report and --verbose are for one run"),
        (["--runs", "2", "--save-audio", "x.wav"], "--save-audio, --report and --verbose are for one run"),
        (["--runs", "2", "--voice", ""], "--voice: should not be empty"),
    ],
)
def test_bad_usage_is_one_line(arguments: list[str], complaint: str) -> None:
    result = probe(*arguments)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert complaint in result.stderr


def test_a_single_run_says_that_it_is_no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probe.cli.live_run._execute", lambda plan, *_: replace(record(), plan=plan))
    assert "One run is not a measurement: --runs 20 gives p50 and p95." in probe("--runs", "1").stdout
    assert "not a measurement" not in probe("--json").output
