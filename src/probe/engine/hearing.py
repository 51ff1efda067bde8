"""The user's speech in a turn: played to an STT server in real time, until it returns a transcript."""

from collections.abc import Iterator

from probe import words
from probe.blame import NAMES
from probe.engine.faults import Busy, Fault
from probe.engine.lines import STT, Line
from probe.engine.session import Session
from probe.heard import Heard, Utterance
from probe.protocols.base import Event, Malformed, Refused, SpeechStopped, Transcript
from probe.protocols.hearing import SttConversation
from probe.record import Stage
from probe.text import cut
from probe.timestamps import NEVER, NS_PER_MS, NS_PER_S

# As microphones and WebRTC deliver it.
FRAME_MS = 20
_FRAME_NS = FRAME_MS * NS_PER_MS
# Silence before the speech: at least what a server needs, and at most this much of the recording's own.
_LEAST_LEAD_MS, _MOST_LEAD_MS = 100, 300
# Who cuts people off loses so many words at least: a single one at the end may as well have been missed.
_CUT_WORDS = 2
_BYTES = 2
# Of a transcript so many characters are kept.
MAX_TRANSCRIPT = 2**13


class Playback:
    """An utterance as frames of 20 ms, one of which ends with the last voiced sample: its write is the speech's end."""

    def __init__(self, utterance: Utterance) -> None:
        self._pcm = utterance.pcm
        rate = utterance.sample_rate
        self._size = rate * FRAME_MS // 1000
        most, least = rate * _MOST_LEAD_MS // 1000, rate * _LEAST_LEAD_MS // 1000
        begin = max(0, utterance.first_voiced - most)
        voiced = utterance.last_voiced - begin
        lead = max(0, least - (utterance.first_voiced - begin))
        lead += -(lead + voiced) % self._size
        self._silence = utterance.silence or bytes(_BYTES * self._size)
        self._samples = self._silent(0, _BYTES * lead) + self._pcm[_BYTES * begin :]
        # How many frames there are up to the last voiced sample.
        self.voiced = (lead + voiced) // self._size

    def frames(self) -> Iterator[bytes]:
        """The speech, the silence that was recorded behind it, and then silence without an end."""
        size = _BYTES * self._size
        at = 0
        while True:
            frame = self._samples[at : at + size]
            yield frame + self._silent(at + len(frame), size - len(frame))
            at += size

    def _silent(self, at: int, size: int) -> bytes:
        """So many bytes of the background (silence or noise), which repeats."""
        begin = at % len(self._silence)
        return (self._silence * (1 + (begin + size) // len(self._silence)))[begin : begin + size]


class Hearing:
    """One utterance, and the server's transcript of it."""

    stage: Stage = "stt"

    def __init__(self, session: Session, conversation: SttConversation, utterance: Utterance, line: Line = STT) -> None:
        self._session = session
        self._conversation = conversation
        self._utterance = utterance
        self._line = line
        self._name = NAMES[line.role]
        self._began = False
        self._start: int | None = None
        self._end: int | None = None
        self._stopped: int | None = None
        self._understood: int | None = None
        self._transcript = ""
        self._late: int | None = None
        self._latest: int | None = None

    @property
    def owes(self) -> bool:
        return self._began and self._understood is None

    def heard(self) -> Heard:
        """The result until now."""
        return Heard(
            self._start, self._end, self._stopped, self._understood, self._transcript, self._utterance.text,
            self._late, self._latest,
        )  # fmt: skip

    async def take(self) -> str:
        """Play it, and return what was understood. Raises Fault and Busy."""
        self._session.stage = "stt"
        await self._session.perform(self._line, self._conversation.begin(self._session.clock.now()))
        self._began = True
        await self._play()
        while self._understood is None:
            await self._session.pump(NEVER, self._line)
        self._require_understood()
        return self._transcript

    def on_event(self, event: Event, at: int) -> None:
        if not self.owes:
            return
        match event:
            case SpeechStopped() if self._stopped is None:
                self._stopped = at
                self._session.report("speech_stopped", at)
                self._require_whole(at, "found the end of the speech before it")
            case Transcript(text):
                self._understood = at
                self._transcript = cut(text.strip(), MAX_TRANSCRIPT)
                self._session.report("transcript", at, text=self._transcript)
                self._require_whole(at, "had understood all before the end of the speech")
            case Refused(fatal=True):
                raise self._refusal(event)
            case Malformed(detail):
                raise self._fault("malformed", f"sent a frame that is not its protocol: {detail}")

    def on_written(self, at: int) -> None:
        """No request of it has a time of its own."""

    async def _play(self) -> None:
        """Write frame after frame, each when a microphone would have it whole: what is late delays none that follow."""
        playback = Playback(self._utterance)
        began = self._session.clock.now()
        limit = round(self._session.plan.target.limits.stt_s * NS_PER_S)
        for number, frame in enumerate(playback.frames(), 1):
            due = began + number * _FRAME_NS
            while await self._session.pump(due):
                if self._is_over:
                    await self._end_audio()
                    return
            last = number == playback.voiced
            await self._write(frame, due, last=last)
            if last and not self._conversation.finds_end:
                await self._end_audio()
                return
            if self._end is not None and due - self._end > limit:
                seconds = self._session.plan.target.limits.stt_s
                raise self._fault("never_ended", f"did not find the end of the speech within {seconds:g} s of silence")

    @property
    def _is_over(self) -> bool:
        """Whether the server needs no more audio."""
        return self._stopped is not None or self._understood is not None

    async def _write(self, frame: bytes, due: int, *, last: bool) -> None:
        written = await self._session.perform(self._line, self._conversation.hear(frame, due))
        if written is None:
            # If all of it is uploaded at the end, a frame counts as written when it is collected.
            written = self._session.clock.now()
        late = max(0, written - due)
        self._latest = max(self._latest or 0, late)
        if self._start is None:
            self._start = written
            self._session.report("speech_start", written, text=self._utterance.text or "")
        if last:
            self._end, self._late = written, late
            self._session.report("speech_end", written)

    async def _end_audio(self) -> None:
        if self._understood is None:
            await self._session.perform(self._line, self._conversation.end(self._session.clock.now()))

    def _require_whole(self, at: int, what: str) -> None:
        # What came while the last frame was written is read after it.
        if self._end is None or at < self._end:
            raise self._fault("ended_early", what)

    def _require_understood(self) -> None:
        """Require a transcript of the whole speech, with some of its words: any other has no meaningful answer."""
        said = self._utterance.text
        if not words.words(self._transcript):
            raise self._fault("no_transcript", "understood nothing")
        if said is None:
            return
        missing = len(words.words(said)) - len(words.words(self._transcript))
        if self._stopped is not None and missing >= _CUT_WORDS and words.is_beginning(said, self._transcript):
            raise self._fault("ended_early", f"understood the first words alone: the last {missing} are missing")
        if words.has_nothing_of(said, self._transcript):
            raise self._fault("not_understood", f"understood none of the {len(words.words(said))} words")

    def _fault(self, reason: str, what: str) -> Fault:
        return Fault("stt", reason, f"the {self._name} server {what}", self._line)

    def _refusal(self, refused: Refused) -> Exception:
        if refused.busy:
            return Busy(refused.message)
        return Fault("stt", refused.reason, f"{self._name} server: {refused.message}", self._line)
