"""Runs that a scrape asks for, `/probe?target=NAME&scenario=NAME`: the multi-target pattern of blackbox_exporter.

Only what is configured is measured. Such a run waits for its turn like those of the schedule, and for the servers'
users; it goes to the history and every sink like them.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import parse_qs

from probe.config import Config
from probe.daemon.http_message import Answer, Request, plain
from probe.daemon.schedule import Entry, Schedule
from probe.daemon.timing import Timing
from probe.plan import choose
from probe.record import RunRecord

# More scrapes than this don't wait: they take place one after another, and would all be late.
MAX_WAITING = 8
# This much of the scrape's timeout is left for the answer to arrive.
MARGIN_S = 0.5
LONGEST_S = 3600.0
_TIMEOUT = "x-prometheus-scrape-timeout-seconds"
# Values of Sec-Fetch-Site, by which a browser reports that another site's page makes the request.
_ELSEWHERE = ("cross-site", "same-site")
_KNOWN = ("target", "scenario", "debug")
# Of the daemon's loop, from an answer that is made to the thread of the HTTP server.
_TURNS = 4
# Not repeated, so it has no times.
_ONCE = Timing(math.inf)

# Is called with the record of a run, and returns when its answer is made.
Found = Callable[[RunRecord], Awaitable[None]]
# The page of one run, given how long the scrape took, in seconds, and its `Accept` header: a body and its type.
Render = Callable[[RunRecord, float, str], tuple[bytes, str]]


class Measuring(Protocol):
    """What does the runs, by its configuration of the moment."""

    config: Config

    async def asked_for(self, entry: Entry, patience_s: float, found: Found) -> None:
        """Do a run, await `found`, and pass the record to the sinks; `found` is not called where the daemon stops.

        It waits for users for `patience_s` at most.
        """


@dataclass(frozen=True, slots=True)
class Asked:
    """What a scrape wants. `patience_s` is None where it does not say how long it waits."""

    target: str
    scenario: str | None
    debug: bool
    patience_s: float | None
    accept: str = ""


class RefusedError(Exception):
    """No run takes place; `answer` has the reason."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.answer = plain(status, why)


class OnDemand:
    """The page `/probe`. It is asked for in the thread of the HTTP server; runs take place on the daemon's loop."""

    def __init__(self, expect: Callable[[Entry], None], render: Render, explain: Callable[[RunRecord], str]) -> None:
        """`expect` creates the series of a target and scenario; it may take a while, in a thread."""
        self._expect = expect
        self._render = render
        self._explain = explain
        self._known: dict[tuple[str, str], Entry] = {}
        self._waiting = 0
        self._at: tuple[asyncio.AbstractEventLoop, Measuring, Schedule] | None = None

    def attach(self, runs: Measuring, schedule: Schedule) -> None:
        """Call on the daemon's loop when it can measure."""
        self._at = asyncio.get_running_loop(), runs, schedule

    async def page(self, request: Request) -> Answer:
        began = time.monotonic()
        try:
            return await self._answered(wanted(request), began)
        except RefusedError as error:
            return error.answer

    async def _answered(self, asked: Asked, began: float) -> Answer:
        if self._at is None:
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "the daemon is starting")
        if self._waiting >= MAX_WAITING:
            why = f"{MAX_WAITING} probes are waiting already; runs take place one after another"
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, why)
        loop, runs, schedule = self._at
        self._waiting += 1
        try:
            taking = asyncio.run_coroutine_threadsafe(self._take(asked, began, runs, schedule), loop)
            return await asyncio.wrap_future(taking)
        finally:
            self._waiting -= 1

    async def _take(self, asked: Asked, asked_at: float, runs: Measuring, schedule: Schedule) -> Answer:
        """On the daemon's loop: do the run when it has its turn, and wait for it no longer than the scrape does."""
        began = time.monotonic()
        entry = chosen(asked, runs.config)
        patience_s = longest_s(entry, runs.config) if asked.patience_s is None else asked.patience_s
        await self._expected(entry)
        turn = asyncio.Event()
        # The scrape does not wait for the history's disk, the next run does.
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        async def found(record: RunRecord) -> None:
            # Before the sinks get it: beside their threads, the page takes several times as long.
            if not answer.cancelled():
                made = await self._made(record, asked, asked_at)
                with suppress(asyncio.InvalidStateError):
                    answer.set_result(made)
                # Beside the sinks' threads, each turn of the loop waits for the interpreter.
                for _ in range(_TURNS):
                    await asyncio.sleep(0)

        async def run() -> None:
            turn.set()
            # It may have been configured otherwise while this waited, or be no target any more.
            current = chosen(asked, runs.config)
            await self._expected(current)
            await runs.asked_for(current, patience_s - (time.monotonic() - began), found)

        task = asyncio.ensure_future(schedule.between(entry, run))
        left_s = patience_s - (time.monotonic() - began)
        ends: tuple[asyncio.Future[Any], ...] = (task, answer)
        try:
            await asyncio.wait(ends, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            # Who asked has gone: a run that has begun is completed, one that waits is not begun.
            answer.cancel()
            if not turn.is_set():
                task.cancel()
            raise
        if answer.done():
            return answer.result()
        answer.cancel()
        if task.done():
            # Where it raised, this does.
            task.result()
            why = "the daemon is stopping"
        elif turn.is_set():
            why = f"the run has not ended within {patience_s:g} s; the history and /metrics will have it"
        else:
            task.cancel()
            why = f"other runs took all of the {patience_s:g} s"
        raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, why)

    async def _made(self, record: RunRecord, asked: Asked, asked_at: float) -> Answer:
        """The figures are a tenth of a millisecond's work: with a thread for them, the scrape waits for longer."""
        body, content_type = self._render(record, time.monotonic() - asked_at, "" if asked.debug else asked.accept)
        if not asked.debug:
            return Answer(HTTPStatus.OK, body, content_type)
        timeline = await asyncio.to_thread(self._explain, record)
        return Answer(HTTPStatus.OK, f"{timeline}\n".encode() + body)

    async def _expected(self, entry: Entry) -> None:
        """Have the series of a target and scenario: once, as that takes a while."""
        pair = entry.target.name, entry.scenario.name
        if self._known.get(pair) != entry:
            await asyncio.to_thread(self._expect, entry)
            self._known[pair] = entry


def wanted(request: Request) -> Asked:
    """What a request asks for. Raises RefusedError."""
    if request.fields.get("sec-fetch-site") in _ELSEWHERE:
        # Otherwise any page that is open in a browser on this machine could start runs.
        raise RefusedError(HTTPStatus.FORBIDDEN, "a page of another site asks for this")
    given = parse_qs(request.query, keep_blank_values=True)
    if unknown := [name for name in given if name not in _KNOWN]:
        why = f"unknown parameter {unknown[0]!r}; there is: {', '.join(_KNOWN)}"
        raise RefusedError(HTTPStatus.BAD_REQUEST, why)
    if any(len(values) > 1 for values in given.values()):
        raise RefusedError(HTTPStatus.BAD_REQUEST, "a parameter is given twice")
    if (debug := given.get("debug", ["false"])[0]) not in ("true", "false"):
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"debug should be true or false, not {debug!r}")
    target = given.get("target", [""])[0]
    scenario = given.get("scenario", [None])[0]
    patience_s = _patience_s(request.fields.get(_TIMEOUT))
    return Asked(target, scenario, debug == "true", patience_s, request.fields.get("accept", ""))


def _patience_s(written: str | None) -> float | None:
    if written is None:
        return None
    try:
        seconds = float(written)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= LONGEST_S:
        why = f"{_TIMEOUT} should be a number of seconds from 0 to {LONGEST_S:g}"
        raise RefusedError(HTTPStatus.BAD_REQUEST, why)
    return max(seconds - MARGIN_S, seconds / 2)


def chosen(asked: Asked, config: Config) -> Entry:
    """The configured target and scenario of these names. Raises RefusedError, which says what there is."""
    try:
        target_name, target = choose("target", config.targets, asked.target)
        scenario_name, scenario = choose("scenario", config.scenarios, asked.scenario)
    except ValueError as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, str(error)) from error
    return Entry("on demand", target.record(target_name), scenario.record(scenario_name), _ONCE)


def longest_s(entry: Entry, config: Config) -> float:
    """How long a run can take, with its wait for users."""
    limits = config.targets[entry.target.name].limits
    return limits.run_s + limits.release_s + config.courtesy.max_wait_s
