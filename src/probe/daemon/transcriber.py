"""Has answers transcribed when nobody needs the servers: after their runs, and never while one takes place.

A run has precedence: it waits for no transcription, and one that is going on ends when a run begins. So do users: a
server that does not say whether it is in use counts as in use.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from probe import intelligibility
from probe.clock import AnchoredClock
from probe.config import Config
from probe.daemon import courtesy, questions
from probe.daemon.courtesy import Finding
from probe.daemon.keeper import without_audio
from probe.intelligibility import Recogniser, Spoken, recogniser_of
from probe.plan import Target
from probe.protocols.inquiries import Inquiries
from probe.record import RunRecord
from probe.server_state import ServerState
from probe.transcription import Transcription, Untranscribed
from probe.transport.connector import SocketConnector

# Answers that wait, and their audio: older ones give way.
MOST_WAITING, MOST_BYTES = 3, 16 * 2**20
# How often one may be interrupted by runs, until it is given up.
MOST_ATTEMPTS = 3
FIRST_LOOK_S, LONGEST_LOOK_S = 1.0, 5.0
# Results that wait for a moment without a run, to be kept; where runs leave none, so many are enough to do it anyway.
_MOST_UNKEPT, _ENOUGH_UNKEPT = 20, 5

Transcribe = Callable[[RunRecord, tuple[Spoken, ...], Recogniser], Awaitable[Transcription]]
Ask = Callable[[Target], Awaitable[Finding]]
Keep = Callable[[RunRecord, Transcription], Awaitable[None]]
# What is in the way of a transcription: a reason of WAITED, and a sentence.
Obstacle = tuple[str, str]


@dataclass(eq=False, slots=True)
class _Waiting:
    """An answer that waits to be transcribed, and since when."""

    record: RunRecord
    spoken: tuple[Spoken, ...]
    since: float
    attempts: int = 0
    # What users, or a server that says nothing of them, had against it: that is why it waits, whatever ends the wait.
    users: Obstacle | None = None

    @property
    def bytes(self) -> int:
        return sum(len(pcm) for each in self.spoken for pcm, _ in each.segments)


class Transcriber:
    """`config` may be replaced at any time. `keep` gets a run and what was understood of it when no run takes place."""

    def __init__(
        self,
        config: Config,
        keep: Keep,
        transcribe: Transcribe | None = None,
        users: Ask | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config = config
        self._keep = keep
        self._transcribe = transcribe or _transcribed
        self._users = users or _users
        self._now = now
        self._waiting: deque[_Waiting] = deque()
        self._unkept: deque[tuple[RunRecord, Transcription]] = deque(maxlen=_MOST_UNKEPT)
        self._offered: dict[tuple[str, str], float] = {}
        self._runs = 0
        self._going: asyncio.Future[Transcription] | None = None
        self._changed = asyncio.Event()

    def offer(self, record: RunRecord) -> None:
        """Take the answer of a run that is over, with its audio, if it is one to be transcribed. Returns at once."""
        series = record.plan.target.name, record.plan.scenario.name
        recogniser = self._recogniser(series[0])
        last = self._offered.get(series, -math.inf)
        if recogniser is None or self._now() - last < self.config.intelligibility.every_s:
            return
        spoken = intelligibility.answers(record)
        if not spoken:
            return
        self._offered[series] = self._now()
        if (why := intelligibility.too_long(spoken)) is not None:
            self._give_up(record, recogniser, ("too_long", why))
            return
        self._waiting.append(_Waiting(without_audio(record), spoken, self._now()))
        while len(self._waiting) > MOST_WAITING or sum(each.bytes for each in self._waiting) > MOST_BYTES:
            oldest = self._waiting.popleft()
            self._give_up(oldest.record, recogniser, oldest.users or ("full", "newer answers wait to be transcribed"))
        self._changed.set()

    @asynccontextmanager
    async def aside(self) -> AsyncIterator[None]:
        """While this lasts a run takes place, and nothing is transcribed."""
        self._runs += 1
        if self._going is not None:
            self._going.cancel()
        try:
            yield
        finally:
            self._runs -= 1
            self._changed.set()

    async def work(self, until_next_run: Callable[[], float]) -> None:
        """Transcribe until cancelled. `until_next_run` says in how many seconds the next run is due."""
        look_s = FIRST_LOOK_S
        while True:
            self._changed.clear()
            if len(self._unkept) >= (_ENOUGH_UNKEPT if self._runs else 1):
                await self._keep_first()
            elif self._runs:
                await self._changed.wait()
            elif await self._tried(until_next_run):
                look_s = FIRST_LOOK_S
            elif not self._waiting:
                await self._changed.wait()
            else:
                await self._pause(look_s)
                look_s = min(2 * look_s, LONGEST_LOOK_S)

    async def _tried(self, until_next_run: Callable[[], float]) -> bool:
        """Transcribe the first answer that nothing is in the way of; whether there was one, or one was given up."""
        for item in [*self._waiting]:
            if item not in self._waiting:
                continue
            recogniser = self._recogniser(item.record.plan.target.name)
            if recogniser is None:
                # The configuration was replaced.
                self._waiting.remove(item)
                return True
            try:
                if await self._dealt_with(item, recogniser, until_next_run):
                    return True
            except Exception as error:  # noqa: BLE001 - a mistake of ours with one answer must not end those after it
                if item in self._waiting:
                    self._waiting.remove(item)
                self._give_up(item.record, recogniser, ("error", type(error).__name__), "internal")
                return True
        return False

    async def _dealt_with(self, item: _Waiting, recogniser: Recogniser, until_next_run: Callable[[], float]) -> bool:
        """Transcribe an answer that nothing is in the way of; False where it waits on."""
        obstacle = await self._obstacle(item, recogniser, until_next_run)
        if self._runs or item not in self._waiting:
            return True
        if obstacle is None:
            await self._attempt(item, recogniser)
            return True
        if self._now() - item.since >= self.config.intelligibility.max_wait_s:
            self._waiting.remove(item)
            self._give_up(item.record, recogniser, item.users or obstacle)
            return True
        return False

    async def _obstacle(
        self, item: _Waiting, recogniser: Recogniser, until_next_run: Callable[[], float]
    ) -> Obstacle | None:
        """What is in the way of transcribing an answer now."""
        left = until_next_run()
        if left < recogniser.timeout_s:
            return "no_room", f"there were never {recogniser.timeout_s:g} s (timeout_s) until the next run"
        target = item.record.plan.target
        if not self.config.courtesy.enabled:
            return None
        found = await self._users(target)
        if found.reason is None and recogniser.server not in target.servers.values():
            found = await self._users(Target(target.name, {"stt": recogniser.server}, 0.0, target.limits))
        item.users = None if found.reason is None else ("unknown_users" if found.unknown else "users", found.reason)
        return item.users

    async def _attempt(self, item: _Waiting, recogniser: Recogniser) -> None:
        self._waiting.remove(item)
        item.attempts += 1
        self._going = going = asyncio.ensure_future(self._transcribe(item.record, item.spoken, recogniser))
        try:
            await asyncio.wait([going])
        finally:
            going.cancel()
            self._going = None
        if not going.cancelled():
            self._unkept.append((item.record, going.result()))
        elif item.attempts < MOST_ATTEMPTS:
            self._waiting.appendleft(item)
        else:
            why = f"runs began meanwhile, {item.attempts} times"
            self._give_up(item.record, recogniser, ("interrupted", why))

    def _give_up(self, record: RunRecord, recogniser: Recogniser, why: Obstacle, stage: Untranscribed = "wait") -> None:
        at = AnchoredClock.anchored_now().now()
        found = intelligibility.mishap(recogniser, at, stage, *why)
        self._unkept.append((without_audio(record), found))
        self._changed.set()

    async def _keep_first(self) -> None:
        record, found = self._unkept.popleft()
        await self._keep(record, found)

    def _recogniser(self, target: str) -> Recogniser | None:
        return recogniser_of(self.config.intelligibility, target)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return


async def _transcribed(record: RunRecord, spoken: tuple[Spoken, ...], recogniser: Recogniser) -> Transcription:
    clock = AnchoredClock.anchored_now()
    return await intelligibility.transcription(record, spoken, recogniser, SocketConnector(clock), clock)


async def _users(target: Target) -> Finding:
    asked = [each for _, server, protocol in questions.servers(target) for each in protocol.users(server)]
    return await courtesy.at_this_moment(asked, _held)


async def _held(inquiries: Inquiries[ServerState | None]) -> int | None:
    """How many users a server has; None where it does not say."""
    found = await questions.first(inquiries)
    return None if found is None else found.users
