"""One attempt to measure: courtesy first, then the run."""

import asyncio
from contextlib import nullcontext
from dataclasses import dataclass, replace

from probe.clock import AnchoredClock
from probe.config import Config, state_dir
from probe.daemon import courtesy, questions
from probe.daemon.reports import Reports
from probe.daemon.schedule import Entry
from probe.daemon.unfinished import Unfinished
from probe.engine.runner import ignore
from probe.measurement import SPEECH, measure, prepare
from probe.plan import Plan, new_plan
from probe.record import Failure, RunRecord


@dataclass(frozen=True, slots=True)
class Attempt:
    """The result of an attempt. `began` is when the run itself began, in seconds since the epoch.

    `unknown_users`: whether a server that can be asked did not say who uses it; None where none was asked.
    """

    record: RunRecord
    began: float
    lag_s: float = 0.0
    unknown_users: bool | None = None


def skipped(entry: Entry, reason: str) -> RunRecord:
    """The record of a run that did not take place."""
    at = AnchoredClock.anchored_now().now()
    return RunRecord(_plan(entry), at, at, skipped=reason)


def broken(entry: Entry, error: Exception) -> Attempt:
    """The result of an attempt that ended because of a bug of ours: a failure like any other."""
    at = AnchoredClock.anchored_now().now()
    # Not its words: they may hold anything.
    failure = Failure("internal", "error", f"{type(error).__name__} outside of the run", at)
    return Attempt(RunRecord(_plan(entry), at, at, failure=failure), at / 1e9)


def _plan(entry: Entry) -> Plan:
    """As the record of its run has it, whether that takes place or not."""
    return prepare(new_plan(entry.target, entry.scenario))


async def attempt(
    entry: Entry, config: Config, stop: asyncio.Event, unfinished: Unfinished | None = None
) -> Attempt | None:
    """Measure, or leave the server to its users; None where `stop` is set before there was anything to measure.

    Without `unfinished` nothing is noted, and what killed runs left is not released.
    """
    if unfinished is not None:
        # What a killed run holds looks like a user.
        await unfinished.end(entry.target)
    reports = Reports(entry.target)
    served, found, _ = await asyncio.gather(
        questions.identity_of(entry.target), _users(reports, config, stop), reports.ask_others()
    )
    cold = None if stop.is_set() or (found and found.reason) else await questions.cold(entry.target)
    if stop.is_set():
        return None
    unknown = None if found is None else found.unknown
    clock = AnchoredClock.anchored_now()
    if found is not None and found.reason is not None:
        record = replace(skipped(entry, found.reason), served=served, reported=reports.before())
        return Attempt(record, clock.now() / 1e9, unknown_users=unknown)
    plan = replace(_plan(entry), speech_dir=state_dir(config) / SPEECH)
    async with nullcontext(ignore) if unfinished is None else unfinished.noted(plan) as observe:
        done = await measure(plan, config.self_check.tolerance(), observe, stop, clock)
    record = questions.answered(done.record, served, cold, await reports.after())
    return Attempt(record, record.started / 1e9, done.lag_s, unknown)


async def _users(reports: Reports, config: Config, stop: asyncio.Event) -> courtesy.Finding | None:
    """Why to leave the servers to their users, if they hold them for longer than we wait; None where none is asked."""
    asked = reports.about_users()
    if not config.courtesy.enabled or not asked:
        return None
    wait = courtesy.wait_for_certainty if config.courtesy.unknown == "wait" else courtesy.wait_for_users
    return await wait(asked, reports.users, config.courtesy.max_wait_s, stop)
