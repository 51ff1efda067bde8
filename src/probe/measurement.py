"""One measurement as used by the daemon and the command line: over real sockets, with the self-check."""

import asyncio
import functools
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace

from msgspec import Struct

from probe.clock import AnchoredClock
from probe.engine import runner
from probe.engine.pauses import settled
from probe.engine.self_check import Watch
from probe.machine import watching
from probe.progress import Event
from probe.protocols.registry import chosen
from probe.record import Plan, RunRecord
from probe.tolerance import Tolerance
from probe.transport.connector import SocketConnector
from probe.transport.framing.table import framing_named


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
) -> Measurement:
    """Carry out a plan. The record is `suspect` if something held us up for longer than `tolerance` allows.

    Raises nothing but CancelledError.
    """
    prepare(plan)
    async with this_machine().watched() if plan.target.machine == "local" else nullcontext() as machine:
        clock = clock or AnchoredClock.anchored_now()
        with Watch(clock, tolerance) as watch:
            record = await runner.run(
                plan, chosen(plan.target), SocketConnector(clock), clock, observe, stop, tolerance.max_error_ms
            )
    lag_ms = max(watch.longest_ms(record).values(), default=0.0)
    return Measurement(replace(watch.judge(record), machine=None if machine is None else machine.state), lag_ms / 1000)


@functools.cache
def this_machine() -> watching.Machine:
    """The machine that we run on. Its files, libraries and modules are found once."""
    return watching.opened()
