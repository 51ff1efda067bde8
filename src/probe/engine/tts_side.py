"""A conversation with the TTS server in a turn: sends texts, and attributes the audio to them."""

from collections.abc import Callable

from probe.blame import NAMES
from probe.engine.faults import Busy, Fault
from probe.engine.lines import Line
from probe.engine.session import Session
from probe.progress import EventKind
from probe.protocols.base import (
    Audio,
    AudioFormat,
    Done,
    Event,
    Malformed,
    Ready,
    Refused,
    SegmentEnd,
    TtsConversation,
)
from probe.protocols.segments import Segment
from probe.record import Stage
from probe.timestamps import NEVER, NS_PER_S

# What a server sends of all texts, so soon after one was sent, it may have said before it had that.
CROSSING_S = 1.0

Report = Callable[[EventKind, int, Segment], None]
# Of a run, all of which is kept until it ends: four and a half minutes at the usual rate. And in how many pieces: what
# is computed of playing it back goes through them all.
MAX_AUDIO_BYTES, MAX_PIECES = 12 * 2**20, 5000


def unreported(_kind: EventKind, _at: int, _segment: Segment) -> None:
    """For who wants no events."""


class TtsSide:
    """The part of a turn's speech that is requested on this connection."""

    stage: Stage = "tts"

    def __init__(self, session: Session, line: Line, conversation: TtsConversation, report: Report) -> None:
        self.segments = conversation.attribution()
        # The last thing that the server said without giving up.
        self.complaint = ""
        self._session = session
        self._line = line
        self._name = NAMES[line.role]
        self._conversation = conversation
        self.report = report
        self._opened = False
        self._ready = False
        self._closing = False
        # Whether the server ended its stream with a text unspoken.
        self._broke_off = False
        # The text that was on its way when the server ended its stream: it may begin another for it.
        self._crossed: Segment | None = None
        self._cancelled = False

    @property
    def owes(self) -> bool:
        return self._opened and self.segments.done is None

    @property
    def settled(self) -> bool:
        """Whether every text sent has been spoken, or is held back by the server until more text comes."""
        return self.segments.wakes_at() is None

    async def open(self) -> None:
        """Have the server ready for the turn's texts."""
        self._opened = True
        self._session.stage = "tts"
        try:
            await self._session.perform(self._line, self._conversation.open(self._session.clock.now()))
            while not self._ready:
                await self._session.pump(NEVER, self._line)
        except Fault as fault:
            raise self._explained(fault, "no_stream", "it did not become ready") from fault

    async def speak(self, chunk_num: int, text: str) -> Segment:
        """Hand a text to the server."""
        self.require_open()
        if self.segments.done is not None:
            # Servers end a stream that was idle, or has lasted long enough: the next text has another.
            self._ready = False
            self.segments.reopen()
            await self.open()
        now = self._session.clock.now()
        # The segment is there before the write: audio may arrive while the write still waits.
        segment = self.segments.speak(chunk_num, text, now)
        written = await self._session.perform(self._line, self._conversation.speak(text, now))
        if written is not None:
            segment.sent = written
        return segment

    async def add(self, chunk_num: int, piece: str) -> Segment:
        """Hand over the next piece of the turn's one text, which begins with the first."""
        self.require_open()
        now = self._session.clock.now()
        begun = next(iter(self.segments.all), None)
        segment = begun or self.segments.speak(chunk_num, "", now)
        segment.text += piece
        segment.streamed = True
        written = await self._session.perform(self._line, self._conversation.add(piece, now))
        if begun is None and written is not None:
            segment.sent = written
        return segment

    async def close(self) -> None:
        """Say that no more text comes."""
        self._closing = True
        self.segments.close()
        if self.segments.done is None:
            await self._session.perform(self._line, self._conversation.close(self._session.clock.now()))

    async def cancel(self) -> None:
        """Stop whatever is being spoken, and read no more of it; nothing to do for a stream that is over."""
        self._cancelled = True
        if self.owes and self._session.connected(self._line):
            self._opened = False
            await self._session.perform(self._line, self._conversation.cancel())

    def expire(self, now: int) -> None:
        """Act on a wait of the attribution's, if it is over."""
        self._report_end(self.segments.expire(now), now)

    def was_silent(self, fault: Fault) -> None:
        """The server has been silent for as long as it may. Raises Fault, unless it owed nothing but its word."""
        now = self._session.clock.now()
        over = self.segments.give_up(now)
        if over is not None:
            self._report_end(over, now)
        elif self._crossed is None or self._crossed is not self.segments.pending():
            raise self._of_silence(fault) from fault
        elif self._closing:
            # It was the answer after all: nothing for the last text.
            self.segments.finish(now)
        else:
            raise self._ended_early()

    def on_event(self, event: Event, at: int) -> None:
        if self._cancelled:
            return
        match event:
            case Audio(pcm):
                self._audio(pcm, at)
            # Between two turns a server may have something left to say of the one before.
            case Ready() if self._opened:
                self._ready = True
            case AudioFormat(rate):
                self.segments.format(rate)
            case SegmentEnd(audio_ms, how):
                self._report_end(self.segments.marker(at, audio_ms, how), at)
            case Done(segments=generated) if self._ready and self.segments.done is None:
                self._done(generated, at)
            case Refused():
                self._refused(event, at)
            case Malformed(detail) if self.owes:
                raise self._fault("malformed", f"{self._name} server sent a frame that is not its protocol: {detail}")

    def on_written(self, at: int) -> None:
        segment = self.segments.pending()
        if segment is not None and not segment.frames:
            segment.sent = at

    def complaint_as_ending(self) -> str:
        """That the server complained, as the end of a sentence."""
        return f"; before that: {self.complaint}" if self.complaint else ""

    def _done(self, generated: int | None, at: int) -> None:
        # A wait that was over by then, however late we read.
        self.expire(at)
        last = self.segments.pending()
        self.segments.finish(at, generated)
        self._report_end(last, at)
        unspoken = [each for each in self.segments.all if each.end is None]
        if last is not None and unspoken == [last] and self._crosses(last, at):
            self._crossed = last
            self.segments.reopen()
            return
        self._broke_off = (last is not None or unspoken != []) and not self._closing

    def _crosses(self, segment: Segment, at: int) -> bool:
        return segment is not self._crossed and at - segment.sent < CROSSING_S * NS_PER_S

    def _audio(self, pcm: bytes, at: int) -> None:
        self._session.audio += len(pcm)
        if self._session.audio > MAX_AUDIO_BYTES:
            raise self._fault(
                "flood", f"the {self._name} server sent more than {MAX_AUDIO_BYTES // 2**20} MiB of audio in one run"
            )
        self._session.pieces += 1
        if self._session.pieces > MAX_PIECES:
            raise self._fault("flood", f"the TTS server sent its audio in more than {MAX_PIECES} pieces in one run")
        segment = self.segments.audio(pcm, at) if self._ready else None
        if segment is None:
            if not self._ready:
                self.segments.stray_bytes += len(pcm)
            return
        self._session.report("tts_audio", at, text=f"audio {len(pcm)} bytes")
        if len(segment.frames) == 1:
            self.report("tts_first_audio", at, segment)
        elif segment.late_bytes == len(pcm):
            self.report("tts_late_audio", at, segment)

    def _refused(self, refusal: Refused, at: int) -> None:
        # Where we ask for several texts at once, it may be our own requests that it is busy with.
        alone = self._line.number == 1 and not any(each.frames for each in self.segments.all)
        if self.owes and refusal.busy and alone:
            raise Busy(refusal.message)
        if self.owes and refusal.fatal:
            raise self._fault(refusal.reason, f"{self._name} server: {refusal.message}")
        self.complaint = refusal.message
        words = f": {refusal.said}" if refusal.said else ""
        self._session.report("warning", at, text=f"{self._name} server: {refusal.message}{words}")

    def require_open(self) -> None:
        """Raise Fault where the server has ended the turn's stream by itself, with a text unspoken."""
        if self._broke_off:
            raise self._ended_early()

    def _ended_early(self) -> Fault:
        return self._fault("ended_early", f"{self._name} server said done before it was asked to close")

    def _fault(self, reason: str, detail: str) -> Fault:
        return Fault("tts", reason, detail, self._line)

    def _of_silence(self, fault: Fault) -> Fault:
        """The description of a wait that ended without data."""
        waiting = self.segments.pending()
        if waiting is None:
            return self._explained(fault, "timeout", "no done")
        text = f"a text of {len(waiting.text.strip())} characters"
        if waiting.frames:
            return self._explained(fault, "timeout", f"no end of the audio for {text}")
        return self._explained(fault, "no_audio", f"no audio for {text}")

    def _explained(self, fault: Fault, reason: str, what: str) -> Fault:
        """Say of a silence what was missing, and what the server said before it."""
        if fault.stage != "tts" or fault.reason != "timeout":
            return fault
        return self._fault(reason, f"{what}: {fault}{self.complaint_as_ending()}")

    def _report_end(self, segment: Segment | None, at: int) -> None:
        if segment is None:
            return
        if segment.held and segment.end is None:
            self.report("tts_held", at, segment)
        elif segment.done == at:
            self.report("tts_segment_end", at, segment)
