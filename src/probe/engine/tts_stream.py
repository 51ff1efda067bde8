"""The TTS server's side of a turn: one stream that speaks text after text."""

from collections.abc import Callable

from probe.engine.session import Fault, Session
from probe.protocols.base import Audio, Malformed, SegmentComplete, ServerError, StreamCreated, StreamDone, TtsCodec
from probe.protocols.magpie.attribution import Segment, Segments
from probe.record import EventKind
from probe.transport.framing.base import Binary, Text
from probe.transport.inbox import NEVER, NS_PER_S, Arrival

# On a connection that has served a stream, an older server ignores a second `init`: so long do we wait for its answer.
REUSE_PATIENCE_S = 2.0


Tell = Callable[[EventKind, int, Segment], None]


class TtsStream:
    """One stream on the TTS server. `markers`: whether this server is known to mark the ends of its segments."""

    def __init__(self, session: Session, codec: TtsCodec, tell: Tell, *, markers: bool) -> None:
        target = session.plan.target
        self.segments = Segments(target.limits, target.sample_rate, markers=markers)
        self._session = session
        self._codec = codec
        self._tell = tell
        self._opened = False
        self._created = False
        self._cancelled = False
        # The last thing that the server said without giving up.
        self.complaint = ""

    @property
    def busy(self) -> bool:
        return self._opened and self.segments.done is None

    async def open(self) -> None:
        """Create the stream on a connection that has served none yet."""
        await self._session.connect("tts")
        self._opened = True
        await self._init()
        try:
            while not self._created:
                await self._session.pump("tts", NEVER)
        except Fault as fault:
            raise self._explained(fault, "no_stream", "no stream_created") from fault

    async def reopen(self) -> None:
        """Create the stream on the connection of the turn before, or on a new one where that takes no second stream."""
        if await self._accepted_again():
            self._opened = True
        else:
            await self._session.drop("tts")
            await self.open()

    async def speak(self, chunk_num: int, text: str) -> Segment:
        """Hand a text to the server."""
        self._require_open()
        request = self._codec.text(text)
        # The segment is there before the write: audio may arrive while the write still waits.
        segment = self.segments.speak(chunk_num, text, self._session.clock.now())
        segment.sent = await self._session.send("tts", request)
        return segment

    async def settle(self) -> None:
        """Wait until every text sent has been spoken, or is held back by the server until more text comes."""
        while (wakes_at := self.segments.wakes_at()) is not None:
            await self._step(wakes_at)
            self._require_open()

    async def close(self) -> None:
        """Tell the server that no more text comes."""
        self.segments.close()
        await self._session.send("tts", self._codec.close())

    async def finish(self) -> None:
        """Wait until the server has said that all audio is sent."""
        while self.segments.done is None:
            await self._step(self.segments.wakes_at() or NEVER)

    async def cancel(self) -> None:
        """Stop whatever is being spoken, and read no more of it; nothing to do for a stream that is over."""
        self._cancelled = True
        if self.busy and self._session.connected("tts"):
            self._opened = False
            await self._session.send("tts", self._codec.cancel())

    async def keep_alive(self) -> None:
        await self._session.send("tts", self._codec.ping())

    def on_frame(self, arrival: Arrival) -> None:
        frame = arrival.frame
        if self._cancelled or not isinstance(frame, Text | Binary):
            return
        event = self._codec.decode(frame.data, binary=isinstance(frame, Binary))
        match event:
            case Audio(pcm) if pcm:
                self._audio(pcm, arrival.at)
            case StreamCreated():
                self._created = True
            case SegmentComplete(audio_ms):
                self._told_end(self.segments.marker(arrival.at, audio_ms), arrival.at)
            case StreamDone(generated) if self._created and self.segments.done is None:
                last = self.segments.pending()
                self.segments.finish(arrival.at, generated)
                self._told_end(last, arrival.at)
            case ServerError(message, fatal=True) if self.busy:
                raise Fault("tts", "server_error", f"TTS server: {message}")
            case ServerError(message):
                self.complaint = message
                self._session.tell("warning", arrival.at, text=f"TTS server: {message}")
            case Malformed(detail) if self.busy:
                raise Fault("tts", "malformed", f"TTS server sent a frame that is not its protocol: {detail}")

    def _audio(self, pcm: bytes, at: int) -> None:
        segment = self.segments.audio(pcm, at) if self._created else None
        if segment is None:
            if not self._created:
                self.segments.stray_bytes += len(pcm)
            return
        self._session.tell("tts_audio", at, text=f"audio {len(pcm)} bytes")
        if len(segment.frames) == 1:
            self._tell("tts_first_audio", at, segment)
        elif segment.late_bytes == len(pcm):
            self._tell("tts_late_audio", at, segment)

    def said(self) -> str:
        """What the server complained of, as the end of a sentence."""
        return f"; it said: {self.complaint}" if self.complaint else ""

    def _require_open(self) -> None:
        if self.segments.done is not None:
            raise Fault("tts", "ended_early", "TTS server said done before it was asked to close")

    async def _accepted_again(self) -> bool:
        try:
            await self._init()
            patience = (
                NEVER if self.segments.markers else self._session.clock.now() + round(REUSE_PATIENCE_S * NS_PER_S)
            )
            while not self._created and self._session.connected("tts"):
                if not await self._session.pump("tts", patience):
                    return False
        except Fault as fault:
            if fault.reason not in ("closed", "timeout"):
                raise
        return self._created

    async def _init(self) -> None:
        target = self._session.plan.target
        self._session.stage = "tts"
        await self._session.send("tts", self._codec.init(target.voice, target.language, target.tts_mode))

    async def _step(self, until: int) -> None:
        try:
            if not await self._session.pump("tts", until):
                now = self._session.clock.now()
                self._told_end(self.segments.expire(now), now)
        except Fault as fault:
            waiting = self.segments.pending()
            if waiting is None:
                raise self._explained(fault, "timeout", "no done") from fault
            text = waiting.text.strip()
            if waiting.frames:
                raise self._explained(fault, "timeout", f"no segment_complete for {text!r}") from fault
            raise self._explained(fault, "no_audio", f"no audio for {text!r}") from fault

    def _explained(self, fault: Fault, reason: str, what: str) -> Fault:
        """Say of a silence what was missing, and what the server said before it."""
        if fault.stage != "tts" or fault.reason != "timeout":
            return fault
        return Fault("tts", reason, f"{what}: {fault}{self.said()}")

    def _told_end(self, segment: Segment | None, at: int) -> None:
        if segment is None:
            return
        if segment.held and segment.end is None:
            self._tell("tts_held", at, segment)
        elif segment.done == at:
            self._tell("tts_segment_end", at, segment)
