"""One attempt to measure: courtesy first, then the run."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from probe.clock import AnchoredClock
from probe.config import Config
from probe.daemon import courtesy
from probe.daemon.schedule import Entry
from probe.engine.inquiry import inquire
from probe.measurement import measure
from probe.plan import new_plan
from probe.protocols.base import ServerProtocol
from probe.protocols.registry import PROTOCOLS
from probe.record import RunRecord, ServerIdentity, ServerPlan, Target
from probe.transport.connector import SocketConnector


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of it. `began` is when the run proper began, in seconds since the epoch."""

    record: RunRecord
    began: float
    lag_s: float = 0.0


def skipped(entry: Entry, reason: str) -> RunRecord:
    """The record of a run that did not take place."""
    at = AnchoredClock.anchored_now().now()
    return RunRecord(new_plan(entry.target, entry.scenario), at, at, skipped=reason)


async def attempt(entry: Entry, config: Config, stop: asyncio.Event) -> Attempt | None:
    """Measure, or leave the server to its users; None where `stop` is set before there was anything to measure."""
    served, reason = await asyncio.gather(_identity(entry.target), _users(entry.target, config, stop))
    if stop.is_set():
        return None
    clock = AnchoredClock.anchored_now()
    if reason is not None:
        return Attempt(replace(skipped(entry, reason), served=served), clock.now() / 1e9)
    plan = new_plan(entry.target, entry.scenario)
    done = await measure(plan, config.self_check.max_lag_ms, stop=stop, clock=clock)
    return Attempt(replace(done.record, served=served), done.record.started / 1e9, done.lag_s)


async def _identity(target: Target) -> ServerIdentity:
    """Ask the servers what they serve, before anything is measured. The first that says so is the LLM's."""
    for server, protocol in _servers(target):
        for inquiry in protocol.identity(server):
            if (found := await inquire(_connector(), inquiry, courtesy.ASK_TIMEOUT_S)) is not None:
                return found
    return ServerIdentity()


async def _users(target: Target, config: Config, stop: asyncio.Event) -> str | None:
    """Why to leave the servers to their users, if they hold them for longer than we wait."""
    if not config.courtesy.enabled:
        return None
    asked = [inquiry for server, protocol in _servers(target) for inquiry in protocol.users(server)]
    return await courtesy.wait_for_users(asked, partial(inquire, _connector()), config.courtesy.max_wait_s, stop)


def _connector() -> SocketConnector:
    return SocketConnector(AnchoredClock.anchored_now())


def _servers(target: Target) -> Iterator[tuple[ServerPlan, ServerProtocol[Any]]]:
    for role, server in target.servers.items():
        yield server, PROTOCOLS[role][server.protocol]
