"""Plays one row: a daemon's own parts, put together as a daemon does, measure the faulty servers."""

import asyncio
import json
import re
import threading
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import patience

from fault_matrix.row import PATIENT, Row, Stage
from probe import config
from probe.daemon.composition import Parts, build
from probe.daemon.plans import entries
from probe.daemon.runs import Runs
from probe.daemon.schedule import Entry
from probe.history.reader import reading
from probe.record import RunRecord
from probe.reference.faults import ScriptedLlm, ScriptedTts
from probe.transport.stamped_socket import keep_stamping

CONFIG = """
[targets.faulty]
{servers}
{target}
objective_ms = 60_000
[targets.faulty.limits]
{limits}
[targets.healthy]
llm_url = "{healthy_llm}"
tts_url = "{healthy_tts}"
objective_ms = 60_000
[targets.healthy.limits]
{healthy_limits}
[scenarios.default]
# Otherwise no flood of tokens would be one: the answer would be cut off.
max_answer_tokens = 5000
# Words that no message of ours has: whatever is found of them was quoted.
system_prompt = "Zebulon Quartermaine takes Atorvastatin."
user_turns = [{asked}]
turns = {turns}
turn_pause_s = 0.05
user_audio = {recordings}
[schedules.faulty]
target = "faulty"
[schedules.healthy]
target = "healthy"
[daemon]
state_dir = "{folder}/state"
[http]
port = 0
[otlp]
{otlp}
"""
# What only bounds a hang.
PATIENCE_S = 30.0
# A target whose run has reached the metrics, which have a queue and a thread of their own.
COUNTED = re.compile(r"^voice_probe_runs_total\{.*\} [1-9]", re.MULTILINE)
# What is played to a target that hears.
RECORDING = "said.wav"
# What a row's own settings replace.
SETTINGS = {
    "[self_check]": patience.SELF_CHECK,
    "[courtesy]": "enabled = false",
}


@dataclass
class Played:
    """The result of a row."""

    took_s: float = 0.0
    faulty: RunRecord | None = None
    healthy: RunRecord | None = None
    streams: list[str] = field(default_factory=list)
    page: str = ""
    # What else anyone may read of the daemon: its metrics with their exemplars, and what it says of its health.
    pages: tuple[str, ...] = ()
    left_over: list[str] = field(default_factory=list)


async def play(row: Row, folder: Path) -> Played:
    """Run the row's target once, then a healthy one with the same daemon, then look at what is left."""
    played = Played()
    before = _open()
    tasks = asyncio.all_tasks()
    async with (
        ScriptedLlm(row.llm) as llm,
        ScriptedTts(row.tts) as tts,
        ScriptedLlm() as healthy_llm,
        ScriptedTts() as healthy_tts,
    ):
        stage = Stage(llm, tts, folder, asyncio.Event())
        async with AsyncExitStack() as stack:
            urls = {
                "servers": await _servers(row, stage, stack),
                "healthy_llm": healthy_llm.url,
                "healthy_tts": healthy_tts.url,
                "otlp": 'protocol = "none"',
            }
            if row.collector:
                collector = await stack.enter_async_context(row.collector(stage))
                urls["otlp"] = f'endpoint = "{collector}"\ntimeout_s = 0.5'
            async with _daemon(row, folder, urls) as (parts, settings):
                await _measure(row, stage, parts, settings, played)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        played.left_over = [f"{task!r}" for task in asyncio.all_tasks() - tasks]
        played.left_over += [what for what in _open() if what not in before]
        if not played.left_over or time.monotonic() > deadline:
            return played
        # An aborted socket is closed by the loop's next turn, a thread ends when it gets to it.
        await asyncio.sleep(0.02)


async def _servers(row: Row, stage: Stage, stack: AsyncExitStack) -> str:
    """The target's servers, as a configuration has them."""
    if row.agent_url is not None:
        hears = f'\nagent.endpointing = "{row.endpointing}"' if row.endpointing else ""
        return f'agent.url = "{await stack.enter_async_context(row.agent_url(stage))}"{hears}'
    hearing = "" if row.stt_url is None else f'stt.url = "{await stack.enter_async_context(row.stt_url(stage))}"'
    llm_url = await stack.enter_async_context(row.llm_url(stage)) if row.llm_url else stage.llm.url
    tts_url = await stack.enter_async_context(row.tts_url(stage)) if row.tts_url else stage.tts.url
    return f'llm_url = "{llm_url}"\ntts_url = "{tts_url}"\n{hearing}'


async def _measure(row: Row, stage: Stage, parts: Parts, settings: config.Config, played: Played) -> None:
    faulty, healthy = entries(settings)
    began = time.monotonic()
    if row.sabotage is None:
        await _run(faulty, parts, settings, stage.stop)
    else:
        async with row.sabotage(stage):
            await _run(faulty, parts, settings, stage.stop)
    played.took_s = time.monotonic() - began
    deadline = time.monotonic() + PATIENCE_S
    while any(server.answering.total() for server in stage.http) or (stage.llm.active_streams and not row.slot_kept):
        # A server sees the end of a connection, or a request to end its answer, when its turn comes.
        assert time.monotonic() < deadline, "an answer still goes on"
        await asyncio.sleep(0.01)
    played.streams = [*stage.llm.active_streams]
    await _run(healthy, parts, settings, asyncio.Event())
    deadline = time.monotonic() + PATIENCE_S
    # What the history refused comes a little later.
    while len(records := _recorded(stage.folder / "state")) < len((faulty, healthy)):
        assert time.monotonic() < deadline, f"a run was not recorded: {[*records]}"
        await asyncio.sleep(0.02)
    played.faulty, played.healthy = records["faulty"], records["healthy"]
    while len(COUNTED.findall(page := parts.metrics.render("text/plain")[0].decode())) < len(records):
        assert time.monotonic() < deadline, f"a run was not counted: {page}"
        await asyncio.sleep(0.01)
    played.page = page
    exemplars, _ = parts.metrics.render("application/openmetrics-text")
    played.pages = page, exemplars.decode(), f"{parts.health.complaint()}"
    # The sinks that a row holds up are left behind: a second is what a daemon gives them.
    await parts.dispatch.drain(1.0)


def _recorded(state_dir: Path) -> dict[str, RunRecord]:
    with reading(state_dir) as history:
        return {record.plan.target.name: record for record in history.runs()}


async def _run(entry: Entry, parts: Parts, settings: config.Config, stop: asyncio.Event) -> None:
    runs = Runs(settings, parts.dispatch, parts.metrics, parts.health, parts.log, stop)
    await runs.due(entry, time.time())


@asynccontextmanager
async def _daemon(row: Row, folder: Path, urls: dict[str, str]) -> AsyncIterator[tuple[Parts, config.Config]]:
    limits = {"limits": _toml(row.deadlines), "healthy_limits": _toml(PATIENT)}
    hears = row.stt_url is not None or row.endpointing
    recordings = [str(folder / RECORDING)] if hears and row.recording is not None else []
    (folder / RECORDING).write_bytes(row.recording or b"")
    said = {"asked": json.dumps(row.asked), "recordings": json.dumps(recordings)}
    text = CONFIG.format(folder=folder, target=row.target, turns=row.turns, **said, **limits, **urls)
    default = "\n".join(f"{table}\n{line}" for table, line in SETTINGS.items() if table not in row.settings)
    path = folder / "probe.toml"
    path.write_text(f"{text}\n{default}\n{row.settings}")
    settings = config.load(path)
    if row.before is not None:
        row.before(folder / "state")
    parts = build(settings)
    parts.http.start()
    parts.rebuild.start()
    try:
        yield parts, settings
    finally:
        parts.close(PATIENCE_S)


def _toml(limits: Mapping[str, float]) -> str:
    return "\n".join(f"{name} = {value}" for name, value in limits.items())


def _open() -> list[str]:
    """Open sockets and files, and threads; what a test runner or a resolver keeps for later is not ours.

    Nor is the one socket that is kept open on purpose: it is there from the first look on.
    """
    keep_stamping()
    found = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            target = str(link.readlink())
        except FileNotFoundError:
            continue
        if target.startswith("socket:") or "/state/" in target:
            found.append(target)
    kept = ("asyncio_", "lookup-", "machine-")
    threads = [each.name for each in threading.enumerate() if not each.name.startswith(kept)]
    return [*found, *threads]
