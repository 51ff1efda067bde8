"""A run's connections and conversations: opened, written to, and read together, so that a wait for one sees both."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeVar

from probe.clock import Clock
from probe.engine.discretion import discreet, secrets_of, without
from probe.engine.faults import Fault
from probe.engine.inquiry import inquire
from probe.protocols.base import Action, Close, Connect, Conversation, Drop, Event, Inquiry, Send, Step, words_of
from probe.record import REASONS, Chunk, EventKind, Plan, Role, Stage
from probe.record import Connect as ConnectRecord
from probe.record import Event as ProgressEvent
from probe.text import cut, one_line
from probe.timestamps import NEVER, NS_PER_S
from probe.transport.connection import ConnectError, Endpoint, Link, SendError
from probe.transport.connector import Connector
from probe.transport.framing.base import Ended, Incoming, Outgoing
from probe.transport.inbox import Arrival, Inbox
from probe.urls import without_secrets

T = TypeVar("T")
# Only asked once a run has failed; it must not hold up the end of the run for long.
INQUIRY_TIMEOUT_S = 2.0
# Of what servers say beside their answers so many sentences are kept; each was cut where it came in.
MAX_QUOTES = 16
# Of what an error of our own says so many characters are kept.
MAX_ERROR_TEXT = 300
# As a person reads it, and the stage in which it fails.
_NAMES: Mapping[Role, str] = {"llm": "LLM", "tts": "TTS"}
_STAGES: Mapping[Role, Stage] = {"llm": "llm", "tts": "tts"}


class Side(Protocol):
    """One server's part in the turn that goes on."""

    @property
    def owes(self) -> bool:
        """Whether something is due, so that the end of the connection is a fault."""

    def on_event(self, event: Event, at: int) -> None:
        """Take what the server said. May raise Fault and Busy."""


class Session:
    """The links of a run, who says what on them, and who listens."""

    def __init__(
        self,
        plan: Plan,
        framings: Mapping[Role, str],
        conversations: Mapping[Role, Conversation],
        connector: Connector,
        clock: Clock,
        observe: Callable[[ProgressEvent], None],
    ) -> None:
        self.plan = plan
        self.clock = clock
        self.connects: list[ConnectRecord] = []
        # What servers said beside their answers, in their own words: errors, reasons, frames that are no protocol.
        self.said: list[str] = []
        # Who listens, in the turn that goes on.
        self.sides: dict[Role, Side] = {}
        self.stage: Stage = "connect"
        self.turn_num = 0
        self._framings = framings
        self._conversations = conversations
        self._connector = connector
        self._inbox = Inbox(clock)
        self._observe = observe
        self._links: dict[Role, Link] = {}
        self._numbers: dict[Role, int] = dict.fromkeys(conversations, 0)
        # How each server's last connection ended, for a person.
        self._endings: dict[Role, str] = {}
        self._secrets = {role: secrets_of(server) for role, server in plan.target.servers.items()}
        # Each server's last sign of life, or our last request to it.
        self._heard: dict[Role, int] = dict.fromkeys(conversations, 0)
        # What conversations want done about what they have read.
        self._to_do: deque[tuple[Role, Action]] = deque()

    def report(self, kind: EventKind, at: int, chunk: Chunk | None = None, text: str = "") -> None:
        """Pass an event on to the one who watches this run, if anyone does."""
        self._observe(ProgressEvent(at, kind, self.turn_num, chunk, text))

    def quote(self, role: Role, words: str) -> None:
        """Keep a server's own words for the one who reads the history; nobody else may read them."""
        if words:
            self._keep(f"{_NAMES[role]} server: {without(words, self._secrets[role])}")

    def quote_error(self, error: Exception) -> None:
        """Keep what an error of our own says, which may quote anything, in the same place."""
        if words := cut(one_line(str(error)), MAX_ERROR_TEXT):
            self._keep(f"voice-probe: {without(words, [each for some in self._secrets.values() for each in some])}")

    def _keep(self, quoted: str) -> None:
        if quoted not in self.said:
            # Where there is no room the last gives way: what comes at the end may be why the run fails.
            del self.said[MAX_QUOTES - 1 :]
            self.said.append(quoted)

    def connected(self, role: Role) -> bool:
        return role in self._links

    async def connect(self, role: Role) -> None:
        """Open a connection where there is none. Raises Fault of stage connect."""
        if role in self._links:
            return
        before, self.stage = self.stage, "connect"
        start = self.clock.now()
        end = None
        try:
            self._links[role] = await self._opened(role)
            end = self.clock.now()
        except ConnectError as error:
            self.quote(role, error.said)
            stage: Stage = "connect" if error.reason in REASONS["connect"] else "internal"
            raise Fault(stage, error.reason, str(error), role if stage == "connect" else None) from error
        finally:
            self.connects.append(ConnectRecord(role, start, end))
        self.stage = before
        self.report("connected", end, text=f"{_NAMES[role]} {without_secrets(self.plan.target.servers[role].url)}")

    async def perform(self, role: Role, steps: Iterable[Step]) -> int:
        """Do what a conversation wants done, in order; returns the moment of its last write, 0 without. Raises Fault.

        A request that can't be written is the end of its connection; the conversation may know another way.
        """
        written = 0
        for step in steps:
            match step:
                case Connect():
                    await self.connect(role)
                case Send(frame):
                    try:
                        written = await self._send(role, frame)
                    except Fault as fault:
                        self._abort(role)
                        ended = Ended("closed", str(fault))
                        instead = [*self._conversations[role].received(ended, self.clock.now())]
                        if not instead:
                            raise
                        return await self.perform(role, instead)
                case Close():
                    await self.drop(role)
                case Drop():
                    self._abort(role)
                case event:
                    self._hear(role, event, self.clock.now())
        return written

    async def pump(self, until: int, *waited: Role) -> bool:
        """Let the sides read the next arrival; False when `until` passes without one.

        Raises Fault where one of `waited`, the servers that owe something, has been silent for longer than it may.
        """
        if waited:
            self.stage = _STAGES[waited[0]]
        silences = [(self._heard[role] + self._patience_ns(role), role) for role in waited]
        wakes = [(at, role) for role, each in self._conversations.items() if (at := each.wakes_at()) is not None]
        first = min(until, *(at for at, _ in silences), *(at for at, _ in wakes), NEVER)
        arrival = await self._inbox.get(first)
        # What was due before it: a server that never stops talking must not put it off for ever.
        due = [role for at, role in wakes if at <= (first if arrival is None else arrival.at)]
        for role in due:
            await self.perform(role, self._conversations[role].wake(self.clock.now()))
        if arrival is not None:
            self._dispatch(arrival)
            await self._perform_pending()
        if due or arrival is not None:
            return True
        for at, role in silences:
            if at <= first:
                silence = f"nothing from the {_NAMES[role]} server for {self._patience_s(role):g} s"
                raise Fault(_STAGES[role], "timeout", silence)
        return False

    async def rest(self, seconds: float) -> None:
        """Let time pass; the sides go on reading."""
        until = self.clock.now() + round(seconds * NS_PER_S)
        while (arrival := await self._inbox.get(until)) is not None:
            self._dispatch(arrival)
            await self._perform_pending()

    async def inquire(self, inquiry: Inquiry[T]) -> T | None:
        """Ask a server over HTTP what it says of itself; None where it does not answer."""
        return await inquire(self._connector, inquiry, INQUIRY_TIMEOUT_S)

    async def drop(self, role: Role) -> None:
        """Close a connection where there is one."""
        if (link := self._forget(role)) is not None:
            await link.close()

    def _abort(self, role: Role) -> None:
        if (link := self._forget(role)) is not None:
            link.abort()

    def _forget(self, role: Role) -> Link | None:
        """Read no more of a connection."""
        self._numbers[role] += 1
        return self._links.pop(role, None)

    async def _opened(self, role: Role) -> Link:
        self._numbers[role] += 1
        number = self._numbers[role]

        def deliver(at: int, frame: Incoming) -> None:
            self._inbox.put(Arrival(at, role, number, frame))

        server = self.plan.target.servers[role]
        headers = {"traceparent": f"00-{self.plan.trace_id}-{self.plan.span_id}-01", **server.headers}
        endpoint = Endpoint(server.url, self._framings[role], headers)
        return await self._connector.open(endpoint, deliver, self.plan.target.limits.connect_s)

    async def _send(self, role: Role, frame: Outgoing) -> int:
        if role not in self._links:
            raise self._ended(role, "closed")
        self._heard[role] = self.clock.now()
        try:
            return await self._links[role].send(frame, self._patience_s(role))
        except SendError as error:
            raise Fault(_STAGES[role], error.reason, f"{_NAMES[role]}: {error}") from error

    def _dispatch(self, arrival: Arrival) -> None:
        role, frame = arrival.server, arrival.frame
        if arrival.connection != self._numbers[role]:
            return
        self._heard[role] = arrival.at
        if isinstance(frame, Ended):
            self.quote(role, frame.said)
        wants = len(self._to_do)
        for step in self._conversations[role].received(frame, arrival.at):
            if isinstance(step, Action):
                self._to_do.append((role, step))
            else:
                self._hear(role, step, arrival.at)
        if isinstance(frame, Ended):
            self._links.pop(role, None)
            self._endings[role] = frame.detail
            side = self.sides.get(role)
            if side is not None and side.owes and len(self._to_do) == wants:
                raise self._ended(role, frame.how)

    def _hear(self, role: Role, event: Event, at: int) -> None:
        event = discreet(event, self._secrets[role])
        self.quote(role, words_of(event))
        if (side := self.sides.get(role)) is not None:
            side.on_event(event, at)

    def _ended(self, role: Role, how: str) -> Fault:
        detail = f"{_NAMES[role]} server ended the connection: {self._endings.get(role)}"
        return Fault(_STAGES[role], how, detail)

    async def _perform_pending(self) -> None:
        while self._to_do:
            role, action = self._to_do.popleft()
            await self.perform(role, (action,))

    def _patience_s(self, role: Role) -> float:
        limits = self.plan.target.limits
        return limits.llm_s if role == "llm" else limits.tts_s

    def _patience_ns(self, role: Role) -> int:
        return round(self._patience_s(role) * NS_PER_S)
