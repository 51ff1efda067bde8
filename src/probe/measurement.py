"""One measurement as used by the daemon and the command line: over real sockets, with the self-check."""

import asyncio
import functools
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from msgspec import Struct

from probe.clock import AnchoredClock
from probe.config import default_state_dir
from probe.engine import runner
from probe.engine.pauses import settled
from probe.engine.recite import recited
from probe.engine.self_check import Watch
from probe.machine import watching
from probe.progress import Event
from probe.protocols.base import Terms
from probe.protocols.registry import chosen
from probe.record import Plan, RunRecord
from probe.tolerance import Tolerance
from probe.transport.connector import SocketConnector
from probe.transport.framing.table import framing_named
from probe.user_audio.prepare import Unprepared, with_speech

# In the state directory.
SPEECH = "user_audio"


class Measurement(Struct, frozen=True):
    """A run, and for how long the event loop or the garbage collector held it up at most, in seconds."""

    record: RunRecord
    lag_s: float


def prepare(plan: Plan) -> Plan:
    """Import what the servers of a plan are reached with: during a run, that would hold it up.

    Returns the plan as it will be in its record.
    """
    protocols = chosen(plan.target)
    for each in protocols.of.values():
        framing_named(each.framing)
    if plan.target.machine == "local":
        this_machine()
    return settled(plan, protocols)


async def measure(
    plan: Plan,
    tolerance: Tolerance,
    observe: Callable[[Event], None] = runner.ignore,
    stop: asyncio.Event | None = None,
    clock: AnchoredClock | None = None,
    kept: Path | None = None,
) -> Measurement:
    """Carry out a plan. The record is `suspect` if something held us up for longer than `tolerance` allows.

    `kept` is the folder of speech that was made for targets that hear; without it, the one in the usual state
    directory. Raises nothing but CancelledError.
    """
    prepare(plan)
    clock = clock or AnchoredClock.anchored_now()
    if "stt" in plan.target.servers:
        started = clock.now()
        prepared = await _with_speech(plan, clock, kept or default_state_dir() / SPEECH)
        if isinstance(prepared, Unprepared):
            failure, skipped, said = prepared.failure, prepared.skipped, prepared.said
            record = RunRecord(plan, started, clock.now(), failure=failure, skipped=skipped, said=said)
            return Measurement(record, 0.0)
        plan = prepared
    async with this_machine().watched() if plan.target.machine == "local" else nullcontext() as machine:
        with Watch(clock, tolerance) as watch:
            record = await runner.run(
                plan, chosen(plan.target), SocketConnector(clock), clock, observe, stop, tolerance.max_error_ms
            )
    lag_ms = max(watch.longest_ms(record).values(), default=0.0)
    return Measurement(replace(watch.judge(record), machine=None if machine is None else machine.state), lag_ms / 1000)


async def _with_speech(plan: Plan, clock: AnchoredClock, kept: Path) -> Plan | Unprepared:
    protocols = chosen(plan.target)
    stt = protocols.of["stt"].converse(Terms(plan.target.servers["stt"], "", plan.target.limits.stt_s))
    connector = SocketConnector(clock)
    recite = functools.partial(recited, plan=plan, protocols=protocols, connector=connector, clock=clock)
    return await with_speech(plan, stt.sample_rate, kept, recite, clock.now)


@functools.cache
def this_machine() -> watching.Machine:
    """The machine that we run on. Its files, libraries and modules are found once."""
    return watching.opened()
