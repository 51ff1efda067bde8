"""One measurement as used by the daemon and the command line: over real sockets, with the self-check."""

import asyncio
import functools
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from probe.clock import AnchoredClock
from probe.config import default_state_dir
from probe.engine import runner
from probe.engine.pauses import settled
from probe.engine.recite import of_speaker, recited
from probe.engine.self_check import Watch
from probe.machine import watching
from probe.machine.gpu import GpuReading
from probe.machine.summary import HostReading
from probe.plan import Plan, Target
from probe.progress import Event
from probe.protocols.registry import chosen, hears_with
from probe.record import RunRecord
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
    for each in (*protocols.of.values(), *chosen(of_speaker(plan).target).of.values()):
        framing_named(each.framing)
    machine_of(plan.target)
    return settled(plan, protocols)


async def measure(
    plan: Plan,
    tolerance: Tolerance,
    observe: Callable[[Event], None] = runner.ignore,
    stop: asyncio.Event | None = None,
    clock: AnchoredClock | None = None,
) -> Measurement:
    """Carry out a plan. The record is `suspect` if something held us up for longer than `tolerance` allows.

    Raises nothing but CancelledError.
    """
    prepare(plan)
    clock = clock or AnchoredClock.anchored_now()
    if (listener := hears_with(plan.target)) is not None:
        started = clock.now()
        folder = plan.speech_dir or default_state_dir() / SPEECH
        prepared = await _with_speech(plan, listener.input_rate, clock, folder)
        if isinstance(prepared, Unprepared):
            failure, skipped, said = prepared.failure, prepared.skipped, prepared.said
            record = RunRecord(plan, started, clock.now(), failure=failure, skipped=skipped, said=said)
            return Measurement(record, 0.0)
        plan = prepared
    watched = machine_of(plan.target)
    async with nullcontext() if watched is None else watched.watched() as machine:
        with Watch(clock, tolerance) as watch:
            record = await runner.run(
                plan, chosen(plan.target), SocketConnector(clock), clock, observe, stop, tolerance.max_error_ms
            )
    lag_ms = max(watch.longest_ms(record).values(), default=0.0)
    return Measurement(replace(watch.judge(record), machine=None if machine is None else machine.state), lag_ms / 1000)


async def _with_speech(plan: Plan, rate: int, clock: AnchoredClock, kept: Path) -> Plan | Unprepared:
    speaking = of_speaker(plan)
    connector = SocketConnector(clock)
    recite = functools.partial(
        recited, plan=speaking, protocols=chosen(speaking.target), connector=connector, clock=clock
    )
    return await with_speech(plan, rate, kept, recite, clock.now)


def machine_of(target: Target) -> watching.Machine | None:
    """What is read beside the target's runs: what its exporters show of another machine, and the rest of this one."""
    if not target.exporters:
        return this_machine() if target.machine == "local" else None
    node, dcgm = target.exporters.get("node"), target.exporters.get("dcgm")
    here = this_machine() if target.machine == "local" else watching.Machine(None, None)
    elsewhere = node or (None if here.host else dcgm)
    return watching.Machine(
        here.host if node is None else _host_at(node),
        here.gpus if dcgm is None else _gpus_at(dcgm),
        None if elsewhere is None else urlsplit(elsewhere).hostname,
        tuple(target.exporters),
    )


# One thread asks an exporter, for all targets that have it.
@functools.cache
def _host_at(url: str) -> watching.Source[HostReading]:
    from probe.machine.exporters import host_source  # noqa: PLC0415 - who asks no exporter needs no HTTP

    return host_source(url)


@functools.cache
def _gpus_at(url: str) -> watching.Source[GpuReading]:
    from probe.machine.exporters import gpu_source  # noqa: PLC0415 - the same

    return gpu_source(url)


@functools.cache
def this_machine() -> watching.Machine:
    """The machine that we run on. Its files, libraries and modules are found once."""
    return watching.opened()
