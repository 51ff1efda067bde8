"""`probe compare --flows`: which runs are compared, in which order they are measured, and what can't be compared."""

import asyncio
import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from runs import START, record

from probe.cli import flows, main, several
from probe.cli.usage import UsageProblem
from probe.config import TargetConfig
from probe.history.writer import History
from probe.plan import Flow, Plan, new_plan
from probe.record import RunRecord

MINUTE = 60 * 10**9


def of_flow(number: int, flow: Flow | None, scenario: str, *, prompt: str | None = None) -> RunRecord:
    whole = record(number, started=START + number * MINUTE, target="spark", scenario=scenario)
    said = whole.plan.scenario.system_prompt if prompt is None else prompt
    changed = replace(whole.plan.scenario, flow=flow, system_prompt=said)
    return replace(whole, plan=replace(whole.plan, scenario=changed))


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scenarios that differ in their flow alone, and one that says something else."""
    folder = tmp_path_factory.mktemp("state")
    with closing(History(folder)) as history:
        for number in range(8):
            history.append(of_flow(4 * number, None, "usual"))
            history.append(of_flow(4 * number + 1, "overlapped", "at once"))
            history.append(of_flow(4 * number + 2, "overlapped", "another", prompt="Be rude."))
        history.append(record(99, started=START, target="local"))
    return folder


def probe(state_dir: Path, *arguments: str) -> Result:
    env = {"COLUMNS": "100", "TZ": "UTC"}
    return CliRunner(env=env).invoke(main, ["compare", "--flows", *arguments, "--state-dir", str(state_dir)])


def test_runs_that_differ_in_the_flow_alone_are_compared(state_dir: Path) -> None:
    result = probe(state_dir, "spark", "--json")
    found = json.loads(result.stdout)
    assert (found["sequential"]["runs"], found["overlapped"]["runs"]) == (8, 8), "and those of another prompt are not"
    assert (result.exit_code, found["state"]) == (0, "same")
    assert probe(state_dir, "spark").stdout.startswith("spark, sequential: 8 runs (8 ok)\nspark, overlapped: 8 runs")


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (("spark", "--scenario", "another"), "no runs of the same scenario in both flows; there is: overlapped"),
        (("local",), "there is: sequential; --runs 20 measures both now"),
        ((), "which target? There is: local, spark"),
        (("spark", "local"), "--flows compares one target with itself"),
        (("spark", "--since", "14d..7d"), "--flows compares one target with itself"),
        (("spark", "--since", "7d", "--runs", "3"), "--since and --until are for recorded runs"),
        (("spark", "--config", "probe.toml"), "--config goes with --runs"),
    ],
)  # fmt: skip
def test_what_can_not_be_compared_says_why(state_dir: Path, arguments: tuple[str, ...], wrong: str) -> None:
    result = probe(state_dir, *arguments)
    assert result.exit_code == 2
    assert wrong in result.stderr


def test_runs_without_flows_are_a_mistake(state_dir: Path) -> None:
    result = CliRunner().invoke(main, ["compare", "spark", "--runs", "3", "--state-dir", str(state_dir)])
    assert (result.exit_code, "go with --flows" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("servers", "why"),
    [
        ({"llm": {"url": "http://h/v1"}}, "streams the whole answer at once"),
        ({"tts": {"url": "tcp://h:1", "mode": "streamed"}}, "takes the answer as the LLM writes it"),
        ({"agent": {"url": "ws://h:1"}}, "it is one server"),
    ],
)  # fmt: skip
def test_a_target_with_one_flow_has_nothing_to_compare(servers: dict[str, dict[str, str]], why: str) -> None:
    with pytest.raises(Exception, match=why):
        flows.require_choice(TargetConfig.of(**servers).record("t"))
    flows.require_choice(TargetConfig().record("t"))


def test_the_flow_of_an_answer_that_runs_freely_is_overlapped_whatever_its_scenario_says() -> None:
    def run(number: int, flow: Flow, **servers: dict[str, str]) -> RunRecord:
        made = of_flow(number, flow, f"{flow}")
        return replace(made, plan=replace(made.plan, target=TargetConfig.of(**servers).record("spark")))

    free = [run(number, flow, llm={"url": "http://h/v1"}) for number, flow in enumerate(flows.FLOWS)]
    assert [flows.flow_of(each) for each in free] == ["overlapped", "overlapped"]
    with pytest.raises(UsageProblem, match="there is: overlapped"):
        flows.recorded("spark", free, 0.1)
    assert flows.flow_of(run(1, "sequential", tts={"url": "tcp://h:1", "mode": "streamed"})) == "streamed"
    assert flows.flow_of(run(1, "sequential")) == "sequential"


def test_the_flows_take_turns_and_take_turns_in_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(several, "PAUSE_S", 0.0)
    labels: list[str] = []

    async def once(planned: Plan, label: str) -> RunRecord:
        labels.append(label)
        return replace(record(), plan=planned)

    async def all_of_them() -> list[RunRecord]:
        plan = new_plan(TargetConfig().record("t"), record().plan.scenario)
        return await flows.interleaved(plan, 3, once, asyncio.Event(), cold=True)

    records = asyncio.run(all_of_them())
    order = [each.plan.scenario.flow for each in records]
    assert order == ["sequential", "overlapped", "overlapped", "sequential", "sequential", "overlapped"]
    assert labels[:2] == ["sequential, run 1 of 3", "overlapped, run 1 of 3"]
    assert [each.cold for each in records] == [True, None, None, None, None, None]
    assert len({each.plan.run_id for each in records}) == 6


@pytest.mark.parametrize("asked", [None, False])
def test_a_run_that_says_itself_that_it_was_cold_is_cold_whatever_was_asked_before(
    monkeypatch: pytest.MonkeyPatch, asked: bool | None
) -> None:
    monkeypatch.setattr(several, "PAUSE_S", 0.0)

    async def once(_planned: Plan, _label: str) -> RunRecord:
        return replace(record(), cold=True)

    async def both() -> list[RunRecord]:
        plan, stop = new_plan(TargetConfig().record("t"), record().plan.scenario), asyncio.Event()
        found = await flows.interleaved(plan, 1, once, stop, cold=asked)
        return [found[0], *await several.repeat(plan, several.Amount(1), once, stop, cold=asked)]

    assert [each.cold for each in asyncio.run(both())] == [True, True]
