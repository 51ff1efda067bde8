"""The two connections of a run: opened, written to, and read together, so that a wait for one server sees both."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Literal, Protocol, cast
from urllib.parse import urlsplit

from probe.clock import Clock
from probe.record import REASONS, Chunk, Connect, Event, EventKind, Plan, Stage
from probe.transport.connection import ConnectError, Endpoint, Link, SendError
from probe.transport.connector import Connector
from probe.transport.framing.base import Ended, Incoming, Request, Text
from probe.transport.inbox import NEVER, NS_PER_S, Arrival, Inbox
from probe.urls import without_secrets

Server = Literal["llm", "tts"]
# Only asked once a run has failed; it must not hold up the end of the run for long.
FETCH_TIMEOUT_S = 2.0
# TTS servers drop a stream after about 30 s without activity.
KEEP_ALIVE_S = 10
_NAMES: Mapping[Server, str] = {"llm": "LLM", "tts": "TTS"}


class Fault(Exception):
    """A server did not do its part: ends the run with this stage and reason."""

    def __init__(self, stage: Stage, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.stage: Stage = stage
        self.reason = reason


class Busy(Exception):
    """The server is occupied by its users: ends the run without blame."""


class Peer(Protocol):
    """One server's side of the dialogue."""

    @property
    def busy(self) -> bool:
        """Whether something is owed, so that the end of the connection is a fault."""

    def on_frame(self, arrival: Arrival) -> None: ...

    async def keep_alive(self) -> None:
        """Say something on a connection that would be dropped for want of activity."""


class Session:
    """A run's connections, and who reads what comes in on them."""

    def __init__(
        self, plan: Plan, connector: Connector, inbox: Inbox, clock: Clock, observe: Callable[[Event], None]
    ) -> None:
        self.plan = plan
        self.clock = clock
        self.connects: list[Connect] = []
        self.peers: dict[Server, Peer] = {}
        self.stage: Stage = "connect"
        self.turn_num = 0
        self._connector = connector
        self._inbox = inbox
        self._observe = observe
        self._links: dict[Server, Link] = {}
        self._numbers: dict[Server, int] = {"llm": 0, "tts": 0}
        # How each server's last connection ended, for a person.
        self._endings: dict[Server, str] = {}
        # Each server's last sign of life, or our last request to it.
        self._heard: dict[Server, int] = {"llm": 0, "tts": 0}
        limits = plan.target.limits
        self._patience: dict[Server, float] = {"llm": limits.llm_s, "tts": limits.tts_s}

    def tell(self, kind: EventKind, at: int, chunk: Chunk | None = None, text: str = "") -> None:
        """Let whoever watches know."""
        self._observe(Event(at, kind, self.turn_num, chunk, text))

    def connected(self, server: Server) -> bool:
        return server in self._links

    async def connect(self, server: Server, timeout_s: float | None = None) -> None:
        """Open a connection where there is none. Raises Fault of stage connect."""
        if server in self._links:
            return
        before, self.stage = self.stage, "connect"
        target = self.plan.target
        url = target.llm_url if server == "llm" else target.tts_url
        start = self.clock.now()
        end = None
        self._numbers[server] += 1
        number = self._numbers[server]

        def deliver(at: int, frame: Incoming) -> None:
            self._inbox.put(Arrival(at, server, number, frame))

        try:
            self._links[server] = await self._connector.open(
                Endpoint(url, "websocket", self._headers()), deliver, timeout_s or target.limits.connect_s
            )
            end = self.clock.now()
        except ConnectError as error:
            stage: Stage = "connect" if error.reason in REASONS["connect"] else "internal"
            raise Fault(stage, error.reason, str(error)) from error
        finally:
            self.connects.append(Connect(server, start, end))
        self.stage = before
        self.tell("connected", end, text=f"{_NAMES[server]} {without_secrets(url)}")

    async def send(self, server: Server, request: str) -> int:
        """Write a request; returns the moment just before the write. Raises Fault."""
        if server not in self._links:
            raise Fault(server, "closed", f"{_NAMES[server]} server ended the connection: {self._endings.get(server)}")
        self._heard[server] = self.clock.now()
        try:
            return await self._links[server].send(Text(request.encode()), self._patience[server])
        except SendError as error:
            raise Fault(server, error.reason, f"{_NAMES[server]}: {error}") from error

    async def pump(self, server: Server, until: int) -> bool:
        """Let the peers read the next arrival; False when `until` passes without one.

        Raises Fault where `server`, the one that is waited for, has been silent for longer than it may.
        """
        self.stage = server
        silence_ends = self._heard[server] + round(self._patience[server] * NS_PER_S)
        idles_at = self._idles_at(server)
        arrival = await self._inbox.get(min(until, silence_ends, idles_at))
        if arrival is not None:
            self._dispatch(arrival)
        elif idles_at < min(until, silence_ends):
            await self.peers["tts"].keep_alive()
            return True
        elif silence_ends <= until:
            raise Fault(server, "timeout", f"nothing from the {_NAMES[server]} server for {self._patience[server]:g} s")
        return arrival is not None

    async def rest(self, seconds: float) -> None:
        """Let time pass; the peers go on reading."""
        until = self.clock.now() + round(seconds * NS_PER_S)
        while (arrival := await self._inbox.get(until)) is not None:
            self._dispatch(arrival)

    async def fetch(self, url: str) -> bytes | None:
        """Ask a server over HTTP what it says of itself."""
        parts = urlsplit(url)
        answer = await self._connector.ask(Endpoint(url, "http1"), Request("GET", parts.path), FETCH_TIMEOUT_S)
        return answer.body if answer is not None and answer.status == HTTPStatus.OK else None

    async def drop(self, server: Server) -> None:
        """Close a connection where there is one."""
        if (link := self._forget(server)) is not None:
            await link.close()

    def abort(self, server: Server) -> None:
        """End a connection at once where there is one."""
        if (link := self._forget(server)) is not None:
            link.abort()

    def _forget(self, server: Server) -> Link | None:
        """Read no more of a connection."""
        self._numbers[server] += 1
        return self._links.pop(server, None)

    def _dispatch(self, arrival: Arrival) -> None:
        server = cast("Server", arrival.server)
        if arrival.connection != self._numbers[server]:
            return
        self._heard[server] = arrival.at
        peer = self.peers.get(server)
        if isinstance(arrival.frame, Ended):
            self._links.pop(server, None)
            how = self._endings[server] = arrival.frame.detail
            if peer is not None and peer.busy:
                raise Fault(server, arrival.frame.how, f"{_NAMES[server]} server ended the connection: {how}")
        elif peer is not None:
            peer.on_frame(arrival)

    def _idles_at(self, server: Server) -> int:
        """When the TTS server, which drops idle streams, wants a sign of life while the LLM server takes its time."""
        if server == "tts" or "tts" not in self._links or "tts" not in self.peers or not self.peers["tts"].busy:
            return NEVER
        return self._heard["tts"] + KEEP_ALIVE_S * NS_PER_S

    def _headers(self) -> dict[str, str]:
        return {"traceparent": f"00-{self.plan.trace_id}-{self.plan.span_id}-01"}
