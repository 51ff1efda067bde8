"""What `probe compare --flows` does: a target in both flows, measured in turn or found in the history."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import click

from probe.cli import live_run, several
from probe.cli.output import report_width, say
from probe.cli.several import Once
from probe.cli.usage import UsageProblem
from probe.plan import Flow, Plan, Target, new_plan
from probe.protocols.registry import answering
from probe.record import RunRecord
from probe.report import flow_report, sample
from probe.report.flow_report import Flows
from probe.typed_json import plain

# Both take turns in beginning, so that neither always comes after a rest.
FLOWS: tuple[Flow, Flow] = ("sequential", "overlapped")
_NO_CHOICE: Mapping[str, str] = {
    "free_running": "its LLM server streams the whole answer at once, so the flow is always overlapped",
    "streamed": "its TTS server takes the answer as the LLM writes it, so there is no other flow",
    "agent": "it is one server, which chooses its own flow",
}


def measured(
    config_path: Path | None, target: str | None, scenario: str | None, runs: int, least_change: float
) -> tuple[Flows, bool]:
    """So many runs in each flow, and whether they were ended early. Raises UsageProblem where there is no choice."""
    plan, tolerance = live_run.planned(config_path, None, target=target, scenario=scenario)
    require_choice(plan.target)
    say(f"Measuring {plan.target.name}, {plan.scenario.name}, in both flows; Ctrl-C ends it early.", err=True)

    async def in_turn(once: Once, stop: asyncio.Event, cold: bool | None) -> list[RunRecord]:
        return await interleaved(plan, runs, once, stop, cold=cold)

    records, stopped = several.carried_out(plan, tolerance, in_turn)
    return flows_of(plan.target.name, records, least_change), stopped


def require_choice(target: Target) -> None:
    """Raise UsageProblem where a target has one flow only."""
    if (why := _NO_CHOICE.get(answering(target))) is not None:
        raise UsageProblem(f"--flows: {target.name} has one flow only: {why}")


async def interleaved(
    plan: Plan, runs: int, once: Once, stop: asyncio.Event, *, cold: bool | None = None
) -> list[RunRecord]:
    """Pairs of runs, one in each flow, until there are enough, `stop` is set or all is in vain."""
    records: list[RunRecord] = []
    for number in range(1, runs + 1):
        for flow in FLOWS if number % 2 else reversed(FLOWS):
            planned = new_plan(plan.target, replace(plan.scenario, flow=flow), speech_dir=plan.speech_dir)
            record = await once(planned, f"{flow}, run {number} of {runs}")
            if stop.is_set():
                return records
            records.append(record if records else replace(record, cold=record.cold or cold))
            say(sample.progress(f"{flow} {number} of {runs}", records[-1]), err=True)
            if several.hopeless(records):
                say(f"{several.HOPELESS} failures in a row: no more runs.", err=True)
                return records
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), several.PAUSE_S)
    return records


def recorded(target: str, records: Iterable[RunRecord], least_change: float) -> Flows:
    """The runs of a target that differ in nothing but the flow and the name of the scenario. Raises UsageProblem."""
    groups: dict[str, list[RunRecord]] = {}
    for record in records:
        groups.setdefault(_alike(record), []).append(record)
    both = [each for each in groups.values() if set(FLOWS) <= {*map(flow_of, each)}]
    if not both:
        raise UsageProblem(f"--flows: {_missing(target, groups.values())}; --runs 20 measures both now")
    return flows_of(target, max(both, key=lambda each: max(run.started for run in each)), least_change)


def _alike(record: RunRecord) -> str:
    """The same for runs that differ in nothing that matters but the flow."""
    plan = record.plan
    return json.dumps(plain((plan.target.servers, replace(plan.scenario, name="", flow=None))), sort_keys=True)


def flows_of(target: str, records: Iterable[RunRecord], least_change: float) -> Flows:
    """The runs by their flow."""
    ordered = sorted(records, key=lambda each: each.started)
    sequential, overlapped = ([each for each in ordered if flow_of(each) == flow] for flow in FLOWS)
    return Flows(target, sequential, overlapped, least_change)


def flow_of(record: RunRecord) -> Flow:
    """The flow that a run had: what its scenario says counts where there is a choice."""
    match answering(record.plan.target):
        case "pausing":
            return record.plan.scenario.flow or "sequential"
        case "streamed":
            return "streamed"
    return "overlapped"


def show(flows: Flows, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(flow_report.document(flows), indent=2))
        return
    for line in flow_report.report(flows, report_width()):
        say(line)


def _missing(target: str, groups: Iterable[list[RunRecord]]) -> str:
    found = sorted({flow_of(each) for group in groups for each in group})
    return f"{target} has no runs of the same scenario in both flows; there is: {', '.join(found) or 'none'}"
