"""Faults of our own machine: the probe must doubt itself, or say so, and go on."""

import asyncio
import gc
import os
import resource
import socket
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)
from runs import record

from fault_matrix.row import Row, Stage, Url
from probe.history.file import FILE_NAME
from probe.history.writer import History
from probe.protocols.llama_chunked.codec import LlamaChunked
from probe.reference.faults import Entry, LlmScript, llm, refusing_port
from probe.timestamps import NS_PER_S
from probe.transport.threads import _Pool

# Long enough for something to happen in the middle of it.
SLOWLY = LlmScript(turns=((llm.chunk(" Hello", " there.", first=0.2), llm.last_chunk(" How are you?")),))
HOUR_S = 3600.0
PAST, PAGE_BYTES = 150, 4096
# Longer than a busy machine may be late by itself.
PAUSE_S = 0.3


def _asked(entry: Entry) -> bool:
    return entry.kind == "text" and entry.direction == "in"


@asynccontextmanager
async def once_asked(stage: Stage, do: Callable[[], Any]) -> AsyncIterator[None]:
    """Do something 50 ms after the LLM server was asked."""

    async def wait() -> None:
        await stage.llm.log.until(_asked)
        asyncio.get_running_loop().call_later(0.05, do)

    waiting = asyncio.ensure_future(wait())
    try:
        yield
    finally:
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting


def loop_blocked(stage: Stage) -> Any:
    return once_asked(stage, lambda: time.sleep(PAUSE_S))


@asynccontextmanager
async def loop_blocked_unstamped(stage: Stage) -> AsyncIterator[None]:
    """On a system whose kernel does not stamp what arrives."""
    with patch("probe.transport.stamped_socket._stamp", lambda _messages: 0):
        async with loop_blocked(stage):
            yield


@asynccontextmanager
async def text_held_up(stage: Stage) -> AsyncIterator[None]:
    """The loop is blocked just as a text is complete."""

    async def wait() -> None:
        await stage.llm.log.until(lambda entry: entry.direction == "out" and b'"paused"' in entry.data)
        asyncio.get_running_loop().call_soon(time.sleep, PAUSE_S)

    waiting = asyncio.ensure_future(wait())
    yield
    await waiting


def interrupted(stage: Stage) -> Any:
    return once_asked(stage, stage.stop.set)


@asynccontextmanager
async def long_collection(stage: Stage) -> AsyncIterator[None]:
    def last(phase: str, _info: Any) -> None:
        if phase == "start":
            time.sleep(PAUSE_S)

    def collect() -> None:
        # After the probe's own callback, which is there as soon as the run is.
        gc.callbacks.append(last)
        gc.collect()
        gc.callbacks.remove(last)

    async with once_asked(stage, collect):
        yield


@asynccontextmanager
async def clock_stepped(stage: Stage) -> AsyncIterator[None]:
    real, real_ns = time.time, time.time_ns
    back = False

    def step() -> None:
        nonlocal back
        back = True

    with (
        patch("time.time", lambda: real() - back * HOUR_S),
        patch("time.time_ns", lambda: real_ns() - round(back * HOUR_S * 1e9)),
    ):
        async with once_asked(stage, step):
            yield


@contextmanager
def _limited(kind: int, soft: int) -> Any:
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(kind, before)


@asynccontextmanager
async def no_descriptors(_stage: Stage) -> AsyncIterator[None]:
    free = os.dup(0)
    os.close(free)
    with _limited(resource.RLIMIT_NOFILE, free):
        yield


@asynccontextmanager
async def disk_full(_stage: Stage) -> AsyncIterator[None]:
    """No file may grow beyond what the history needs for a first page."""
    with _limited(resource.RLIMIT_FSIZE, 4096):
        yield


@asynccontextmanager
async def history_locked(stage: Stage) -> AsyncIterator[None]:
    path = stage.folder / "state" / FILE_NAME
    with patch("probe.daemon.dispatch.HISTORY_PATIENCE_S", 0.3):
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")
            other.close()


@asynccontextmanager
async def log_of_the_history_removed(stage: Stage) -> AsyncIterator[None]:
    for suffix in ("-wal", "-shm"):
        (stage.folder / "state" / f"{FILE_NAME}{suffix}").unlink()
    yield


@asynccontextmanager
async def unreadable_run(stage: Stage) -> AsyncIterator[None]:
    with sqlite3.connect(stage.folder / "state" / FILE_NAME, isolation_level=None) as other:
        other.execute(
            "INSERT INTO runs (run_id, started, target, scenario, outcome, unsent_spans, record)"
            " VALUES ('spoilt', 1, 'faulty', 'default', 'ok', 9, x'00')"
        )
    other.close()
    yield


def past(state_dir: Path) -> None:
    """A hundred and fifty runs of the target, a minute each, up to now."""
    history = History(state_dir)
    now = time.time_ns()
    for number in range(PAST, 0, -1):
        history.append(record(number, target="faulty", started=now - number * 60 * NS_PER_S))
    history.close()


def damaged_past(state_dir: Path) -> None:
    past(state_dir)
    _damage(state_dir / FILE_NAME)


@asynccontextmanager
async def damaged_meanwhile(stage: Stage) -> AsyncIterator[None]:
    path = stage.folder / "state" / FILE_NAME
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    _damage(path)
    yield


def _damage(path: Path) -> None:
    """Every eighth page in the middle of the file: of the table, and of its indices."""
    pages = path.stat().st_size // PAGE_BYTES
    with path.open("r+b") as file:
        for page in range(pages // 4, pages * 3 // 4, 8):
            file.seek(page * PAGE_BYTES)
            file.write(b"\xff" * PAGE_BYTES)


@asynccontextmanager
async def no_thread(_stage: Stage) -> AsyncIterator[str]:
    """None can be started for a name lookup."""
    truly = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        if thread.name.startswith("lookup-"):
            raise RuntimeError("can't start new thread")
        truly(thread)

    with patch("probe.transport.threads._POOL", _Pool()), patch("threading.Thread.start", start):
        yield "ws://looked-up.invalid/ws"


@asynccontextmanager
async def mistake_outside(_stage: Stage) -> AsyncIterator[None]:
    with patch("probe.daemon.questions.identity_of", side_effect=ZeroDivisionError("a mistake")):
        yield


@asynccontextmanager
async def silent_collector(_stage: Stage) -> AsyncIterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@asynccontextmanager
async def no_collector(_stage: Stage) -> AsyncIterator[str]:
    with refusing_port() as port:
        yield f"http://127.0.0.1:{port}"


def answering(answer: bytes) -> Url:
    """A collector that answers every request alike."""

    @asynccontextmanager
    async def collector(_stage: Stage) -> AsyncIterator[str]:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(answer)
                await reader.read()
            writer.close()

        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()

    return collector


def http(status: str, body: bytes, kind: str = "text/plain") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def rejecting(count: int) -> bytes:
    partial = ExportTracePartialSuccess(rejected_spans=count, error_message="too old")
    body = ExportTraceServiceResponse(partial_success=partial).SerializeToString()
    return http("200 OK", body, "application/x-protobuf")


@asynccontextmanager
async def users_hold_the_slot(stage: Stage) -> AsyncIterator[None]:
    stage.llm.active_streams["somebody"] = []
    yield
    del stage.llm.active_streams["somebody"]


@asynccontextmanager
async def mistake_of_ours(_stage: Stage) -> AsyncIterator[None]:
    with patch.object(LlamaChunked, "decode", side_effect=ZeroDivisionError("a mistake")):
        yield


def _row(name: str, injected: str, sabotage: Any, **parts: Any) -> Row:
    values: dict[str, Any] = {"where": "probe", "outcome": "ok", "reached": "second segment", "llm": SLOWLY}
    return Row(name=name, injected=injected, sabotage=sabotage, **(values | parts))


STRICT = "[self_check]\nmax_lag_ms = 200\nmax_delay_ms = 200\nmax_error_ms = 60_000"
INTERNAL = {"outcome": "failed", "stage": "internal"}

ROWS = (
    _row("loop-blocked", "the event loop is blocked for 300 ms while arrivals are stamped", loop_blocked,
         settings=STRICT),
    _row("loop-blocked-unstamped", "the same where the kernel stamps nothing, with 200 ms allowed",
         loop_blocked_unstamped, settings=STRICT, outcome="suspect", say="event-loop lag"),
    _row("long-collection", "a garbage collection of 300 ms while arrivals are stamped", long_collection,
         settings=STRICT),
    _row("text-held-up", "the event loop is blocked for 300 ms as a text is complete, with 200 ms allowed",
         text_held_up, settings=STRICT, outcome="suspect", say="the probe held up a sound"),
    _row("clock-stepped", "the wall clock is set back by an hour", clock_stepped),
    _row("out-of-descriptors", "the process is out of file descriptors", no_descriptors, **INTERNAL,
         reason="error", reached="nothing", say="Too many open files"),
    _row("disk-full", "the disk is full: the history can't be written", disk_full),
    _row("history-locked", "somebody holds a lock on the history", history_locked, longest_s=2.0),
    _row("history-log-removed", "somebody removes the history's `-wal` and `-shm`", log_of_the_history_removed),
    _row("history-run-unreadable", "a run in the history can't be read", unreadable_run),
    _row("history-rebuilt", "the detectors of a past of 150 runs are rebuilt meanwhile", None, before=past),
    _row("history-damaged-before", "pages in the middle of the history are damaged at start", None,
         before=damaged_past),
    _row("history-damaged-meanwhile", "pages in the middle of the history are damaged while it is in use",
         damaged_meanwhile, before=past),
    _row("no-thread", "no thread can be started for a name lookup", None, llm_url=no_thread, **INTERNAL, reason="error",
         reached="nothing", say="no thread can be started"),
    _row("collector-hangs", "the collector takes the spans, and never answers", None, collector=silent_collector),
    _row("collector-rejects-less-than-none", "the collector says that it rejected -1 spans", None,
         collector=answering(rejecting(-1))),
    _row("collector-rejects-more-than-sent", "the collector says that it rejected 2^62 spans", None,
         collector=answering(rejecting(2**62))),
    _row("collector-refuses-with-a-url", "the collector refuses, with 60 kB that look like one URL", None,
         collector=answering(http("400 Bad Request", b"http://a?" + b")" * 60_000 + b"x"))),
    _row("collector-away", "nobody listens at the collector's address", None, collector=no_collector),
    _row("interrupted", "SIGTERM in the middle of a run", interrupted, outcome="skipped", say="interrupted",
         reached="nothing"),
    _row("mistake", "a mistake of ours in the middle of a run", mistake_of_ours, **INTERNAL, reason="error",
         reached="nothing", say="ZeroDivisionError in", said="a mistake"),
    _row("mistake-outside", "a mistake of ours before a run", mistake_outside, **INTERNAL, reason="error",
         reached="nothing", say="ZeroDivisionError outside of the run"),
    _row("users-first", "users hold the LLM server's slot", users_hold_the_slot, outcome="skipped", reached="nothing",
         settings="[courtesy]\nenabled = true\nmax_wait_s = 0.2", say="1 stream in use"),
)  # fmt: skip
