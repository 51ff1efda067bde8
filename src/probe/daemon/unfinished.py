"""What a run leaves on a server when its process is killed: noted in a file before the run, released at the next start.

A run that ends releases it itself, and its note is removed. Some servers keep a slot for a client that is gone until
somebody releases it: only their protocols have something to note (`ServerProtocol.unfinished`).

The note is written before the run starts. Beside the run, the thread that writes would take the interpreter from the
measurement, and the process could be killed between the request and the note. A disk that hangs holds up one run, for
`NOTE_S`, and none after it. Only the daemon that holds the state directory reads and writes the file, so that what is
in it at the start is of a process that has ended; run ids are random, so that no other run has a stream of that name.
Ages are of the monotonic clock: setting the wall clock changes nothing.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import structs

from probe.daemon import questions, unfinished_notes
from probe.daemon.log import Logger
from probe.daemon.unfinished_notes import MOST_NOTES, Note, UnreadableError, address
from probe.plan import Plan, ServerPlan, Target
from probe.progress import Event
from probe.protocols.declaration import ServerProtocol
from probe.protocols.inquiries import Exchange
from probe.transport.deadline import within
from probe.transport.threads import in_a_thread
from probe.urls import without_secrets

# The most that a run starts later because its note is written.
NOTE_S = 0.25
# For all that is left on one server. A run of the same server waits for it.
END_S = questions.ASK_TIMEOUT_S
# What could not be released is tried again before each run of its server, and so often.
RETRY_S = 60.0
# What has waited for its server for so long is forgotten.
MOST_AGE_S = 86_400.0
_Ask = Callable[[Exchange[bool]], Awaitable[bool | None]]
# A server of the configuration, with its protocol.
_Server = tuple[ServerPlan, ServerProtocol[Any]]
# By whether its run came to its end.
_RELEASED: Mapping[bool, str] = {
    False: "ended a stream that a killed run had left",
    True: "ended a stream that its own run could not end",
}


async def asked(exchange: Exchange[bool]) -> bool | None:
    """The answer; None where there is none in time."""
    return await questions.first((exchange,))


class Unfinished:
    """The notes of the runs in progress, and of those that left something. Every method is for the daemon's loop."""

    def __init__(
        self,
        keep: Callable[[Sequence[Note]], None],
        log: Logger,
        left: Iterable[Note] = (),
        ask: _Ask = asked,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`keep` writes the notes, in a thread: it may take any time, and raise OSError. `now` is in seconds."""
        self._keep = keep
        self._log = log
        self._ask = ask
        self._now = now
        self._going: list[Note] = []
        # With the moment since which each waits for its server; the oldest first.
        self._left: dict[Note, float] = {note: now() - note.waited_s for note in left}
        self._ending: dict[str, asyncio.Task[None]] = {}
        # Servers that did not answer: that is logged once.
        self._silent: set[str] = set()
        # How often the notes have changed, and as of which change the file has them.
        self._changes = self._written = 0
        self._writing: asyncio.Task[None] | None = None
        # The writing that a run has waited for in vain.
        self._hanging: asyncio.Task[None] | None = None
        self._in_trouble = False

    @asynccontextmanager
    async def noted(self, plan: Plan) -> AsyncIterator[Callable[[Event], None]]:
        """A run that takes place within is noted; its events have to be passed to what this yields."""
        target, turns = plan.target, len(plan.scenario.user_turns)
        notes = [
            Note(plan.run_id, turns, unfinished_notes.name(target.name), address(role, server))
            for role, server, protocol in questions.servers(target)
            if protocol.unfinished(server, plan.run_id, turns)
        ]
        if not notes:
            yield _ignore
            return
        await self._begin(notes)
        unreleased, ended = asyncio.Event(), False
        try:
            yield lambda event: unreleased.set() if event.kind == "unreleased" else None
            ended = True
        finally:
            self._going = [note for note in self._going if note not in notes]
            if unreleased.is_set() or not ended:
                self._leave(structs.replace(note, ended=ended) for note in notes)
            self._changed()

    async def end(self, target: Target) -> None:
        """Release what is left on the servers of a target, within about `END_S`. Never raises."""
        waiting = {note.server for note in self._left}
        servers = {address(role, server): (server, protocol) for role, server, protocol in questions.servers(target)}
        if tasks := [self._task(name, server) for name, server in servers.items() if name in waiting]:
            # Not gathered: others may wait for the same, and go on when one of them is cancelled.
            await asyncio.wait(tasks)

    async def work(self, targets: Callable[[], Iterable[Target]], free_s: Callable[[], float]) -> None:
        """Release what is left on the servers of `targets`: at once, and what remains every `RETRY_S`.

        That takes a moment of the loop, so that it waits until no run is due for some time (`free_s`).
        """
        await asyncio.gather(*map(self.end, targets()))
        while True:
            await asyncio.sleep(RETRY_S)
            if self._left and free_s() > END_S:
                await asyncio.gather(*map(self.end, targets()))
            if self._left:
                self._forget_old()
                # For how long it has waited.
                self._changed()

    async def settled(self, timeout_s: float) -> None:
        """Wait until the file says what is known, for `timeout_s` at most."""
        if self._writing is not None:
            await asyncio.wait([self._writing], timeout=timeout_s)

    async def _begin(self, notes: Sequence[Note]) -> None:
        """Have the file say so. A disk that hangs is waited for once."""
        self._going += notes
        self._changed()
        if self._writing is self._hanging:
            return
        await self.settled(NOTE_S)
        if self._writing is not None and not self._writing.done():
            self._hanging = self._writing
            self._log.warning("what a killed run leaves can't be noted: the disk does not answer")

    def _leave(self, notes: Iterable[Note]) -> None:
        self._left |= dict.fromkeys(notes, self._now())
        for oldest in [*self._left][:-MOST_NOTES]:
            del self._left[oldest]

    def _task(self, name: str, server: _Server) -> "asyncio.Task[None]":
        """One at a time for each server, for which all wait who want it released."""
        if (task := self._ending.get(name)) is None:
            task = self._ending[name] = asyncio.ensure_future(self._end_on(name, server))
            task.add_done_callback(lambda _done: self._ending.pop(name, None))
        return task

    async def _end_on(self, name: str, server: _Server) -> None:
        try:
            async with within(END_S):
                answers = await self._all_released(name, server)
        except TimeoutError:
            answers = False
        except Exception:  # noqa: BLE001 - no mistake of ours may keep a run from taking place
            self._log.exception("what a run left was not released because of a bug in the probe")
            return
        if answers:
            self._silent.discard(name)
        elif name not in self._silent:
            self._silent.add(name)
            why = "a server does not answer; a stream that a run left there may still hold its slot"
            self._log.warning(why, server=without_secrets(server[0].url))

    async def _all_released(self, name: str, server: _Server) -> bool:
        for note in [note for note in self._left if note.server == name]:
            if not await self._released(note, server):
                return False
        return True

    async def _released(self, note: Note, server: _Server) -> bool:
        """Release what one run left; what is done already is noted, for the case that the server stops answering."""
        plan, protocol = server
        exchanges = protocol.unfinished(plan, note.run_id, note.turns)[note.released :]
        answers = []
        for exchange in exchanges:
            if (answer := await self._ask(exchange)) is None:
                return False
            answers.append(answer)
            if answer:
                self._log.info(_RELEASED[note.ended], target=note.target, run_id=note.run_id)
            if exchange is not exchanges[-1]:
                note = self._replaced(note, released=note.released + 1)
        self._forget(note)
        if not any(answers):
            self._log.info("an earlier run has left no stream", target=note.target, run_id=note.run_id)
        return True

    def _replaced(self, note: Note, released: int) -> Note:
        changed = structs.replace(note, released=released)
        self._left[changed] = self._left.pop(note, self._now())
        return changed

    def _forget(self, note: Note) -> None:
        self._left.pop(note, None)
        self._changed()

    def _forget_old(self) -> None:
        """Among them are those whose server is not configured any more."""
        for note in [note for note, since in self._left.items() if self._now() - since > MOST_AGE_S]:
            self._forget(note)
            why = "a stream that a run left could not be ended for a day, and is forgotten; it may still hold its slot"
            self._log.warning(why, target=note.target, run_id=note.run_id)

    def _changed(self) -> None:
        self._changes += 1
        if self._writing is None or self._writing.done():
            self._writing = asyncio.ensure_future(self._write())

    async def _write(self) -> None:
        """Write until the file has the last change; those that come meanwhile are written together."""
        while self._written < self._changes:
            wanted, notes = self._changes, self._notes()
            try:
                await in_a_thread(self, partial(self._keep, notes))
            except OSError as error:
                if not self._in_trouble:
                    self._log.warning("what a killed run leaves can't be noted", error=error.strerror or str(error))
                self._in_trouble = True
                return
            self._written, self._in_trouble = wanted, False

    def _notes(self) -> Sequence[Note]:
        now = self._now()
        left = [structs.replace(note, waited_s=round(now - since, 3)) for note, since in self._left.items()]
        return [*left, *self._going]


def opened(state_dir: Path, replace: Callable[[Path, bytes], None], log: Logger) -> Unfinished:
    """What the file says; one that can't be read says nothing. `replace` writes a whole file, and raises OSError."""
    path = state_dir / unfinished_notes.FILE_NAME
    left: Sequence[Note] = ()
    try:
        left = unfinished_notes.read(path)
    except (OSError, UnreadableError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        log.warning("what killed runs left is unknown: the file can't be read", file=str(path), error=why)
    return Unfinished(partial(unfinished_notes.keep, path, replace), log, left)


def _ignore(_event: Event) -> None:
    """There is nothing to note."""
