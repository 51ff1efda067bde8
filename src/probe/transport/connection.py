"""One connection: bytes in with the moment they came in, frames out with the moment of their write, whatever framing.

Frames go from the socket's callback straight to their reader: no task switch in between, and no back-pressure
that would delay them.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, Protocol, cast

from msgspec import Struct, field

from probe.clock import Timeline
from probe.transport import share
from probe.transport.deadline import within
from probe.transport.failures import HandshakeRefusedError
from probe.transport.framing.base import Ended, Framing, FramingError, Incoming, Outgoing, Refusal
from probe.transport.stamped_socket import StampedSocket
from probe.transport.stamps import Moments, Stamps

CLOSE_TIMEOUT_S = 1.0
MAX_CONNECTION_BYTES = 32 * 2**20
# Small frames cost time and hardly any bytes: so many, of 10 ms each, are five minutes of audio.
MAX_CONNECTION_FRAMES = 2**15
# What is parsed at once. Where the rest of what was read takes too long, it waits for its turn.
SLICE_BYTES = 2**10
_BY_US = "by the probe"


class ConnectError(Exception):
    """A connection that could not be opened: `reason` is one of the `connect` reasons, or `error` where it is ours.

    `refusal` is what the server answered where it refused the handshake, `said` what there is of its own words.
    """

    def __init__(self, reason: str, detail: str, refusal: Refusal | None = None, said: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.refusal = refusal
        self.said = said


class SendError(Exception):
    """A frame that could not be handed to the socket: `reason` is `closed`, or `timeout` where nobody reads."""

    def __init__(self, reason: Literal["closed", "timeout"], detail: str) -> None:
        super().__init__(detail)
        self.reason: Literal["closed", "timeout"] = reason


class Endpoint(Struct, frozen=True):
    """Where a connection goes to. `url` is ws, http or grpc (each with an s for TLS) or tcp; `framing` is in its table.

    `headers` go with the handshake, or with each HTTP request. They may hold secrets: they are not shown.
    """

    url: str
    framing: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Endpoint(url={self.url!r}, framing={self.framing!r})"


# Called with each frame and the moment its last byte came in (clock nanoseconds); must return at once. False: there are
# more than are being taken, and the rest of them should wait for `REST_S`.
Deliver = Callable[[int, Incoming], bool | None]
REST_S = 0.001


class Link(Protocol):
    """One open connection, and how well its arrivals are known."""

    stamps: Stamps

    async def send(self, frame: Outgoing, timeout_s: float) -> int:
        """Hand a frame to the socket; returns the moment just before the write, in clock nanoseconds.

        Raises SendError where the connection is gone or takes no more, ValueError where its framing has no such frame.
        """

    async def close(self) -> None:
        """Close politely, by force after `CLOSE_TIMEOUT_S`. Never raises; nothing is delivered any more."""

    def abort(self) -> None:
        """End the connection at once; nothing is delivered any more."""


class Connection(asyncio.Protocol):
    """The link of a stamped socket. No two frames have the same moment, and none an earlier one than that before it."""

    def __init__(self, framing: Framing, deliver: Deliver, clock: Timeline, stamped: StampedSocket) -> None:
        self._moments = Moments(clock, self._pass_on)
        self.stamps = self._moments.stamps
        self._framing = framing
        self._deliver = deliver
        self._clock = clock
        self._socket = stamped
        self._transport: asyncio.Transport
        self._received = 0
        # What was read and waits to be parsed.
        self._unparsed, self._parsed = b"", 0
        # How it ended, for a person; nothing is delivered any more.
        self._over: str | None = None
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lost = asyncio.Event()
        # Whether the transport's buffer takes more.
        self._takes = asyncio.Event()
        self._takes.set()
        self._share = share.of_this_loop()
        # Whether frames are delivered faster than they are taken.
        self._too_many = False

    async def opened(self) -> None:
        """Wait for the handshake. Raises HandshakeRefusedError, FramingError, ConnectionError."""
        await self._opened

    async def send(self, frame: Outgoing, timeout_s: float) -> int:
        try:
            async with within(timeout_s):
                await self._room()
                at = self._write(self._framing.send(frame))
                await self._room()
        except TimeoutError as error:
            raise SendError("timeout", f"the server did not take a request within {timeout_s:g} s") from error
        return at

    async def close(self) -> None:
        self._over = self._over or _BY_US
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                if goodbye := self._framing.goodbye():
                    self._transport.write(goodbye)
                else:
                    self._transport.close()
                await self._lost.wait()
        except TimeoutError:
            pass
        finally:
            self._transport.abort()

    def abort(self) -> None:
        self._over = self._over or _BY_US
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if hello := self._framing.hello():
            self._transport.write(hello)
        self._look_at_handshake()

    def data_received(self, data: bytes) -> None:
        self._moments.read(self._socket.arrival, self._socket.since)
        self._received += len(data)
        # What was not parsed yet is of the read before only where that came through TLS, which reads ahead.
        self._unparsed, self._parsed = self._unparsed[self._parsed :] + data, 0
        if self._share.is_known_to_be_used_up():
            self._transport.pause_reading()
            self._share.when_it_is_my_turn(self._go_on)
        else:
            self._parse(share.FREE_S)

    def _parse(self, free_s: float) -> None:
        """Parse what was read. The rest is still of that read: nothing is read until it is parsed."""
        until = time.monotonic() + free_s
        while self._parsed < len(self._unparsed):
            piece = self._unparsed[self._parsed : self._parsed + SLICE_BYTES]
            self._parsed += len(piece)
            self._parse_piece(piece)
            if self._parsed < len(self._unparsed) and self._must_wait(until):
                self._transport.pause_reading()
                return
        if (late_s := time.monotonic() - until) > 0:
            self._share.note(share.FREE_S + late_s)
        self._moments.read_over()
        self._look_at_handshake()
        self._reply()
        if self._lost.is_set():
            self._gone()

    def _must_wait(self, free_until: float) -> bool:
        """Whether the rest of what was read is to wait; `_go_on` goes on with it then."""
        if self._too_many:
            self._too_many = False
            asyncio.get_running_loop().call_later(REST_S, self._share.in_turn, self._go_on)
            return True
        late_s = time.monotonic() - free_until
        if waits := late_s > 0 and self._share.is_used_up(share.FREE_S + late_s):
            self._share.when_it_is_my_turn(self._go_on)
        return waits

    def _go_on(self) -> None:
        if self._parsed < len(self._unparsed):
            self._transport.resume_reading()
            self._parse(share.FREE_S)

    def _parse_piece(self, piece: bytes) -> None:
        try:
            self._hand_over(self._framing.receive(piece))
        except FramingError as error:
            self._give_up(Ended(error.how, str(error), error.said))
        else:
            if (flood := self._flooded()) is not None:
                self._give_up(Ended("flood", f"more than {flood} on one connection"))

    def _give_up(self, why: Ended) -> None:
        self._unparsed, self._parsed = b"", 0
        self._end(why)

    def eof_received(self) -> None:
        # The end of what comes in has no stamp.
        self._moments.read_end(self._socket.nothing_until())
        self._hand_over(self._framing.receive_eof())
        self._moments.read_over()
        self._look_at_handshake()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - whatever it was, the connection is gone
        self._lost.set()
        self._takes.set()
        if self._over is not None:
            self._unparsed, self._parsed = b"", 0
        if self._parsed == len(self._unparsed):
            self._gone()

    def _gone(self) -> None:
        """All that came before the end has been parsed."""
        self._moments.read_end(self._socket.since)
        if not self._opened.done():
            # A refusal whose body ends with the connection is one, however that ended.
            self._hand_over(self._framing.receive_eof())
        self._end(self._framing.how_closed())
        self._moments.let_go()

    def pause_writing(self) -> None:
        self._takes.clear()

    def resume_writing(self) -> None:
        self._takes.set()

    def _hand_over(self, frames: Iterable[Incoming]) -> None:
        for frame in frames:
            if isinstance(frame, Ended):
                self._end(frame)
            elif self._over is None:
                self._moments.put(frame)

    def _pass_on(self, at: int, frame: Incoming) -> None:
        if self._over is None and self._deliver(at, frame) is False:
            self._too_many = True

    def _end(self, ended: Ended) -> None:
        """Deliver the end, once, and see to it that it is one. Before the handshake is over it is a failure to open."""
        self._moments.read_over()
        self._look_at_handshake()
        if not self._opened.done():
            closed = ended.how == "closed"
            failure = ConnectionResetError(ended.detail) if closed else FramingError(ended.detail, ended.said)
            self._fail_to_open(failure)
        elif self._over is None:
            self._moments.put(ended)
            self._moments.read_over()
        self._over = self._over or ended.detail
        self._reply()
        if ended.how != "closed":
            self._transport.abort()
        elif not self._lost.is_set():
            self._transport.close()
            # Where the peer takes nothing any more, what is left to write would keep it open.
            asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_S, self._transport.abort)

    def _look_at_handshake(self) -> None:
        if not self._opened.done():
            if self._framing.refusal is not None:
                self._over = "by a refusal"
                self._fail_to_open(HandshakeRefusedError(self._framing.refusal))
            elif self._framing.ready:
                self._opened.set_result(None)

    def _fail_to_open(self, why: Exception) -> None:
        self._opened.set_exception(why)
        # The caller may have given up meanwhile: then nobody wants to know.
        self._opened.exception()

    def _flooded(self) -> str | None:
        """What there was more of than anyone would read, if there was."""
        if self._received > MAX_CONNECTION_BYTES:
            return f"{MAX_CONNECTION_BYTES // 2**20} MiB"
        return f"{MAX_CONNECTION_FRAMES} frames" if self._framing.parsed > MAX_CONNECTION_FRAMES else None

    async def _room(self) -> None:
        """Wait while the transport's buffer is full. Raises SendError where the connection is gone."""
        await self._takes.wait()
        if self._over is not None:
            raise SendError("closed", f"connection closed: {self._over}")

    def _write(self, data: bytes) -> int:
        self._socket.forget_writes()
        self._transport.write(data)
        return self._clock.at(self._socket.wrote) if self._socket.wrote else self._clock.now()

    def _reply(self) -> None:
        if reply := self._framing.reply():
            self._transport.write(reply)
