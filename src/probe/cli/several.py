"""What `probe run --runs` and `--for` do: run after run, progress on stderr, then all of them as one measurement."""

import asyncio
import json
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, get_args

import click

from probe.cli.exit_codes import EXIT_CODES, INTERRUPTED_CODE
from probe.cli.interrupt import INTERRUPTS, Interrupt
from probe.cli.output import report_width, say
from probe.cli.status_line import status_line
from probe.daemon import questions
from probe.garbage import freeze
from probe.measurement import measure
from probe.measures import outcome
from probe.plan import Plan, new_plan
from probe.progress import EventKind
from probe.record import RunRecord
from probe.report import sample
from probe.report.timeline_printer import Live
from probe.tolerance import Tolerance

# Makes one run of a plan, with a label for the status line.
Once = Callable[[Plan, str], Awaitable[RunRecord]]
Work = Callable[[Once, asyncio.Event, bool | None], Awaitable[list[RunRecord]]]
if TYPE_CHECKING:
    from probe.intelligibility import Recogniser

# Every run has a line of its own when it is over; until then only what it waits for is of interest.
_ALL: frozenset[EventKind] = frozenset(get_args(EventKind))
# A server may need a moment until a released slot is free again.
PAUSE_S = 0.5
# So many failures in a row are enough to know.
HOPELESS = 3


@dataclass(frozen=True, slots=True)
class Amount:
    """How many runs, and for how many seconds new ones begin; whichever is reached first. None is no limit."""

    runs: int | None = None
    duration_s: float | None = None

    def over(self, done: int, elapsed_s: float) -> bool:
        """Whether no further run begins."""
        enough = self.runs is not None and done >= self.runs
        return enough or (self.duration_s is not None and elapsed_s >= self.duration_s)

    def text(self) -> str:
        """What stands behind the number of a run."""
        return "" if self.runs is None else f" of {self.runs}"


def measured(
    plan: Plan, tolerance: Tolerance, amount: Amount, recogniser: "Recogniser | None" = None, *, as_json: bool
) -> int:
    """Measure, report, and return the exit code: that of the worst outcome."""
    say(f"Measuring {plan.target.name}, {plan.scenario.name}; Ctrl-C ends it early.", err=True)
    records, stopped = _records(plan, tolerance, amount, recogniser)
    if as_json:
        click.echo(json.dumps(sample.document(records) | {"interrupted": stopped}, indent=2))
    elif records:
        for line in sample.report(records, report_width()):
            say(line)
    if stopped:
        say("probe run: interrupted", err=True)
        return INTERRUPTED_CODE
    return EXIT_CODES[sample.worst(records)]


def _records(
    plan: Plan, tolerance: Tolerance, amount: Amount, recogniser: "Recogniser | None"
) -> tuple[list[RunRecord], bool]:
    async def all_alike(once: Once, stop: asyncio.Event, cold: bool | None) -> list[RunRecord]:
        return await repeat(plan, amount, once, stop, cold=cold)

    return carried_out(plan, tolerance, all_alike, recogniser)


def carried_out(
    plan: Plan, tolerance: Tolerance, work: Work, recogniser: "Recogniser | None" = None
) -> tuple[list[RunRecord], bool]:
    """The runs of `work` on the plan's target that came to their end, and whether somebody ended it early.

    `work` is given what makes one run, the event that ends all, and whether the first run finds a cold server.
    """

    async def go() -> tuple[list[RunRecord], bool]:
        stop = asyncio.Event()
        interrupt = Interrupt(stop, asyncio.get_running_loop())
        for number in INTERRUPTS:
            signal.signal(number, interrupt)

        async def once(planned: Plan, label: str) -> RunRecord:
            with Live(lambda _event: (), say, _ALL, status_line(planned, f"{label}: ")) as live:
                interrupt.before = live.end_status
                done = await measure(planned, tolerance, live.observe, stop)
            return await _transcribed(replace(done.record, served=served), recogniser, stop)

        served, cold = await asyncio.gather(questions.identity_of(plan.target), questions.cold(plan.target))
        return await work(once, stop, cold), stop.is_set()

    freeze()
    return asyncio.run(go())


async def _transcribed(record: RunRecord, recogniser: "Recogniser | None", stop: asyncio.Event) -> RunRecord:
    """With what a recogniser understands of the answer, before the next run begins."""
    if recogniser is None:
        return record
    from probe import intelligibility  # noqa: PLC0415 - what few runs want

    return await intelligibility.at_once(record, recogniser, stop)


async def repeat(
    plan: Plan,
    amount: Amount,
    once: Once,
    stop: asyncio.Event,
    *,
    cold: bool | None = None,
) -> list[RunRecord]:
    """Run after run, each with ids of its own, until there are enough, `stop` is set or all is in vain."""
    records: list[RunRecord] = []
    began = time.monotonic()
    while not amount.over(len(records), time.monotonic() - began):
        label = f"run {len(records) + 1}{amount.text()}"
        record = await once(new_plan(plan.target, plan.scenario, speech_dir=plan.speech_dir), label)
        if stop.is_set():
            break
        # Only the first one may find a server that has to load its model.
        records.append(record if records else replace(record, cold=record.cold or cold))
        say(sample.progress(f"{len(records)}{amount.text()}", records[-1]), err=True)
        if hopeless(records):
            say(f"{HOPELESS} failures in a row: no more runs.", err=True)
            break
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), PAUSE_S)
        if stop.is_set():
            break
    return records


def hopeless(records: list[RunRecord]) -> bool:
    """Whether the last runs all failed."""
    last = records[-HOPELESS:]
    return len(last) == HOPELESS and all(outcome(record) == "failed" for record in last)
