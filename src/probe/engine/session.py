"""A run's connections and conversations: opened, written to, and read together, so that a wait for one sees both."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

from probe.blame import NAMES
from probe.clock import Clock
from probe.engine.faults import Busy, Fault
from probe.engine.inquiry import inquire
from probe.engine.lines import Line
from probe.engine.quotes import Quotes, words_of
from probe.engine.redaction import redacted
from probe.plan import Plan
from probe.progress import Event as ProgressEvent
from probe.progress import EventKind
from probe.protocols.base import (
    Action,
    Audio,
    Close,
    Connect,
    Conversation,
    Drop,
    Event,
    Send,
    SpeechStopped,
    Step,
    Token,
    Transcript,
)
from probe.protocols.choice import Protocols
from probe.protocols.inquiries import Exchange, Inquiry
from probe.record import REASONS, Chunk, Stage
from probe.record import Connect as ConnectRecord
from probe.timestamps import NEVER, NS_PER_S
from probe.transport.connection import ConnectError, Endpoint, Link, SendError
from probe.transport.connector import Connector
from probe.transport.framing.base import Ended, Incoming, Outgoing
from probe.transport.inbox import Arrival, Inbox
from probe.transport.stamps import StampsOfRun
from probe.urls import without_secrets

if TYPE_CHECKING:
    from probe.engine.side import Side

T = TypeVar("T")
# Only asked once a run has failed; it must not hold up the end of the run for long.
INQUIRY_TIMEOUT_S = 2.0
# What of a frame figures are made of.
_HAVE_A_TIME = (Token, Audio, SpeechStopped, Transcript)


class Session:
    """The connections of a run, with their conversations and the sides that read them."""

    def __init__(
        self,
        plan: Plan,
        protocols: Protocols,
        conversations: Mapping[Line, Conversation],
        connector: Connector,
        clock: Clock,
        observe: Callable[[ProgressEvent], None],
    ) -> None:
        self.plan = plan
        self.clock = clock
        self.connects: list[ConnectRecord] = []
        self.stamps = StampsOfRun()
        # Of the whole run: its bytes, and in how many pieces they came.
        self.audio = self.pieces = 0
        self.quotes = Quotes(plan.target.servers)
        # Who listens, in the turn that goes on.
        self.sides: Mapping[Line, Side] = {}
        self.stage: Stage = "connect"
        self.turn_num = 0
        self._protocols = protocols.of
        self._refused_handshake = protocols.refused_handshake
        self._conversations = conversations
        self._connector = connector
        self._inbox = Inbox(clock)
        self._observe = observe
        self._links: dict[Line, Link] = {}
        self._opened_so_far = 0
        # The connections that are read, by their number.
        self._read: dict[int, Line] = {}
        # How each line's last connection ended, for a person.
        self._endings: dict[Line, str] = {}
        # Each line's last sign of life, or our last request on it.
        self._heard: dict[Line, int] = dict.fromkeys(conversations, 0)
        # What conversations want done about what they have read.
        self._to_do: deque[tuple[Line, Action]] = deque()

    def report(self, kind: EventKind, at: int, chunk: Chunk | None = None, text: str = "") -> None:
        """Pass an event on to the one who watches this run, if anyone does."""
        self._observe(ProgressEvent(at, kind, self.turn_num, chunk, text))

    def connected(self, line: Line) -> bool:
        return line in self._links

    async def connect(self, line: Line) -> None:
        """Open a connection where there is none. Raises Fault of stage connect, and Busy."""
        if line in self._links:
            return
        before, self.stage = self.stage, "connect"
        start = self.clock.now()
        self.report("connecting", start, text=NAMES[line.role])
        end = None
        try:
            self._links[line] = link = await self._opened(line)
            self.stamps.add(line.role, link.stamps)
            end = self.clock.now()
        except ConnectError as error:
            raise self._unopened(line, error) from error
        finally:
            self.connects.append(ConnectRecord(line.role, start, end))
        self.stage = before
        self.report(
            "connected", end, text=f"{NAMES[line.role]} {without_secrets(self.plan.target.servers[line.role].url)}"
        )

    async def perform(self, line: Line, steps: Iterable[Step]) -> int | None:
        """Have a server asked for something: do what its conversation wants done for that, in order. Raises Fault.

        Returns the moment of the last write. None without one: the conversation writes later, which its side is
        notified of.
        """
        self._heard[line] = self.clock.now()
        return await self._do(line, steps)

    async def _do(self, line: Line, steps: Iterable[Step]) -> int | None:
        """A request that can't be written is the end of its connection; the conversation may know another way."""
        written = None
        for step in steps:
            match step:
                case Connect():
                    await self.connect(line)
                case Send(frame):
                    try:
                        written = await self._send(line, frame)
                    except Fault as fault:
                        self._abort(line)
                        ended = Ended("closed", str(fault))
                        instead = [*self._conversations[line].received(ended, self.clock.now())]
                        if not instead:
                            raise
                        return await self._do(line, instead)
                case Close():
                    await self.drop(line)
                case Drop():
                    self._abort(line)
                case event:
                    self._hear(line, event, self.clock.now())
        return written

    async def pump(self, until: int, *waited: Line) -> bool:
        """Let the sides read the next arrival; False when `until` passes without one.

        Raises Fault where one of `waited`, the servers that owe something, has been silent for longer than it may.
        """
        if waited:
            self.stage = self._stage(waited[0])
        silences = [(self._heard[line] + self._patience_ns(line), line) for line in waited]
        wakes = [(at, line) for line, each in self._conversations.items() if (at := each.wakes_at()) is not None]
        first = min(until, *(at for at, _ in silences), *(at for at, _ in wakes), NEVER)
        arrival = await self._inbox.get(first)
        # What was due before it: a server that never stops talking must not put it off for ever.
        due = [line for at, line in wakes if at <= (first if arrival is None else arrival.at)]
        for line in due:
            await self._do_late(line, self._conversations[line].wake(self.clock.now()))
        if arrival is not None:
            self._dispatch(arrival)
            await self._perform_pending()
        if due or arrival is not None:
            return True
        for at, line in silences:
            if at <= first:
                silence = f"nothing from the {NAMES[line.role]} server for {self._patience_s(line):g} s"
                raise Fault(self._stage(line), "timeout", silence, line)
        return False

    async def rest(self, seconds: float) -> None:
        """Let time pass; the sides go on reading."""
        until = self.clock.now() + round(seconds * NS_PER_S)
        while await self.pump(until):
            pass

    async def inquire(self, inquiry: Inquiry[T] | Exchange[T]) -> T | None:
        """Ask a server what it says of itself; None where it does not answer."""
        return await inquire(self._connector, inquiry, INQUIRY_TIMEOUT_S)

    async def drop_all(self) -> None:
        """Close every connection, and let go of who listened and of what nobody has read.

        They know one another: together they would wait for the garbage collector, which stops the event loop to free
        what many runs were flooded with.
        """
        try:
            await asyncio.gather(*(self.drop(line) for line in [*self._links]))
        finally:
            self.sides = {}
            self._inbox.clear()

    async def drop(self, line: Line) -> None:
        """Close a connection where there is one."""
        if (link := self._forget(line)) is not None:
            await link.close()

    def _abort(self, line: Line) -> None:
        if (link := self._forget(line)) is not None:
            link.abort()

    def _forget(self, line: Line) -> Link | None:
        """Read no more of a connection."""
        self._read_no_more(line)
        return self._links.pop(line, None)

    def _read_no_more(self, line: Line) -> None:
        self._read = {number: each for number, each in self._read.items() if each != line}

    async def _opened(self, line: Line) -> Link:
        self._read_no_more(line)
        self._opened_so_far += 1
        number = self._opened_so_far
        self._read[number] = line

        inbox = self._inbox

        def deliver(at: int, frame: Incoming) -> bool:
            return inbox.put(Arrival(at, line.role, number, frame))

        protocol = self._protocols[line.role]
        server = protocol.dialled(self.plan.target.servers[line.role])
        headers = {"traceparent": f"00-{self.plan.trace_id}-{self.plan.span_id}-01", **server.headers}
        endpoint = Endpoint(server.url, protocol.framing, headers)
        return await self._connector.open(endpoint, deliver, self.plan.target.limits.connect_s)

    def _unopened(self, line: Line, error: ConnectError) -> Fault | Busy:
        if error.refusal is not None:
            server = self.plan.target.servers[line.role]
            refused = self._refused_handshake(error.refusal, server)
            self.quotes.of(line.role, refused.said)
            detail = f"{without_secrets(server.url)}: {refused.message}"
            return Busy(detail) if refused.busy else Fault("connect", refused.reason, detail, line)
        self.quotes.of(line.role, error.said)
        stage: Stage = "connect" if error.reason in REASONS["connect"] else "internal"
        return Fault(stage, error.reason, str(error), line)

    async def _send(self, line: Line, frame: Outgoing) -> int:
        if line not in self._links:
            raise self._ended(line, "closed")
        self._heard[line] = self.clock.now()
        try:
            return await self._links[line].send(frame, self._patience_s(line))
        except SendError as error:
            raise Fault(self._stage(line), error.reason, f"{NAMES[line.role]}: {error}", line) from error

    def _dispatch(self, arrival: Arrival) -> None:
        line, frame = self._read.get(arrival.connection), arrival.frame
        if line is None:
            return
        self._heard[line] = arrival.at
        if isinstance(frame, Ended):
            self.quotes.of(line.role, frame.said)
        wants = len(self._to_do)
        steps = [*self._conversations[line].received(frame, arrival.at)]
        if sum(isinstance(step, _HAVE_A_TIME) for step in steps) > 1:
            # They have one moment, that of the last.
            self.stamps.doubt(line.role, arrival.at)
        for step in steps:
            if isinstance(step, Action):
                self._to_do.append((line, step))
            else:
                self._hear(line, step, arrival.at)
        if isinstance(frame, Ended):
            self._links.pop(line, None)
            self._endings[line] = frame.detail
            side = self.sides.get(line)
            if side is not None and side.owes and len(self._to_do) == wants:
                raise self._ended(line, frame.how)

    def _hear(self, line: Line, event: Event, at: int) -> None:
        event = redacted(event, self.quotes.secrets[line.role])
        self.quotes.of(line.role, words_of(event))
        if (side := self.sides.get(line)) is not None:
            side.on_event(event, at)

    def _ended(self, line: Line, how: str) -> Fault:
        detail = f"{NAMES[line.role]} server ended the connection: {self._endings.get(line)}"
        return Fault(self._stage(line), how, detail, line)

    async def _perform_pending(self) -> None:
        while self._to_do:
            line, action = self._to_do.popleft()
            try:
                await self._do_late(line, (action,))
            except Fault:
                # Actions that were left for it do not apply to what comes after.
                self._to_do = deque(each for each in self._to_do if each[0] != line)
                raise

    async def _do_late(self, line: Line, steps: Iterable[Step]) -> None:
        """Do what nobody asked for just now. Of a request that waited, or is written again, this is the moment."""
        written = await self._do(line, steps)
        if written is not None and (side := self.sides.get(line)) is not None:
            side.on_written(written)

    def _stage(self, line: Line) -> Stage:
        """In which a server is, and fails."""
        side = self.sides.get(line)
        usual: Stage = "tts" if line.role == "agent" else line.role
        return usual if side is None else side.stage

    def _patience_s(self, line: Line) -> float:
        limits = self.plan.target.limits
        match self._stage(line):
            case "stt":
                return limits.stt_s
            case "llm":
                return limits.llm_s
        return limits.tts_s

    def _patience_ns(self, line: Line) -> int:
        return round(self._patience_s(line) * NS_PER_S)
