"""Nothing that is printed for a person is wider than the terminal: from 60 columns on, the help of commands, too."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from runs import START, failed, record, skipped, suspect

from probe.cli import COMMANDS, live_run, main
from probe.cli.serve import SERVERS
from probe.history.writer import History
from probe.record import RunRecord

WIDTHS = (60, 80, 100)
MINUTE = 60 * 10**9
COMMANDS_WITH_PARTS = [(), *((name,) for name in COMMANDS), *(("serve", name) for name in SERVERS)]
# Names as long as a user may well have.
TARGET, SCENARIO = "spark-01-qwen3-8b-magpie-multilingual", "three-jokes-about-unicorns"
CONFIG = f"""
[targets.{TARGET}]
objective_ms = 800
[targets.{TARGET}.llm]
url = "http://spark-01.lab.example:8080/v1"
headers = {{ authorization = "Bearer 0123456789" }}
[scenarios.{SCENARIO}]
system_prompt = "You are a helpful assistant, whose answers are spoken aloud: keep them short."
user_turns = ["Tell me three jokes about unicorns.", "And one about a dragon that is afraid of them."]
[schedules.often]
every_s = 10
"""


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("state")
    with closing(History(folder)) as history:
        for number in range(1, 40):
            history.append(
                record(number, started=START + number * MINUTE, ttfb_ms=90 * number, target=TARGET, scenario=SCENARIO)
            )
            history.append(record(100 + number, started=START + number * MINUTE, target="b", scenario=SCENARIO))
        history.append(failed(200, started=START + 60 * MINUTE, target=TARGET))
        history.append(skipped(201))
        history.append(suspect(202))
        yield folder


def too_wide(*arguments: str | Path, width: int) -> list[str]:
    """What a command prints in lines that are wider. On stderr there are complaints, a line each, whatever it takes."""
    result = CliRunner(env={"COLUMNS": str(width)}).invoke(main, [*map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.stdout
    return [line for line in click.unstyle(result.stdout).splitlines() if len(line) > width]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("command", COMMANDS_WITH_PARTS, ids=" ".join)
def test_help_fits(command: tuple[str, ...], width: int) -> None:
    # click leaves two columns free. What its own runner prints has always 80.
    ctx = click.Context(main, info_name="probe", **main.context_settings, terminal_width=width - 2)
    for name in command:
        assert isinstance(ctx.command, click.Group)
        part = ctx.command.get_command(ctx, name)
        assert part is not None
        ctx = click.Context(part, info_name=name, parent=ctx)
    assert [line for line in ctx.get_help().splitlines() if len(line) > width] == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    "command",
    [
        ("history",), ("history", "--target", TARGET), ("show", "000020"), ("show", "000020", "--verbose"),
        ("show", "0000c8"), ("show", "0000ca"), ("drift", "--since", "36500d"), ("compare", TARGET, "b"),
        ("compare", "000020", "00006e"),
        ("compare", TARGET, "--scenario", SCENARIO, "--since", "..2023-11-14T22:33:20Z"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_the_history_says_fits(state_dir: Path, command: tuple[str, ...], width: int) -> None:
    assert too_wide(*command, "--state-dir", state_dir, width=width) == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("made", [record(), failed(), skipped(), suspect()], ids=["ok", "failed", "skipped", "suspect"])
@pytest.mark.parametrize("options", [(), ("--verbose",), ("--runs", "3")], ids=str)
def test_a_run_fits(monkeypatch: pytest.MonkeyPatch, made: RunRecord, options: tuple[str, ...], width: int) -> None:
    monkeypatch.setattr(live_run, "_execute", lambda plan, *_: replace(made, plan=plan))
    monkeypatch.setattr("probe.cli.several._records", lambda *_: ([made] * 3, False))
    assert too_wide("run", *options, width=width) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_a_checked_configuration_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """What --show prints is TOML, whose texts have one line each."""
    monkeypatch.chdir(tmp_path)
    Path("probe.toml").write_text(CONFIG)
    assert too_wide("check-config", "probe.toml", width=width) == []
