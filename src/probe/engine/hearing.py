"""The user's speech in a turn: played to an STT server in real time, until it returns a transcript."""

from collections.abc import Iterator
from dataclasses import replace

from probe import whole_wait, words
from probe.blame import NAMES
from probe.engine.faults import Busy, Fault
from probe.engine.lines import STT, Line
from probe.engine.session import Session
from probe.heard import Heard, PlayedPause, Utterance
from probe.protocols.base import Event, Malformed, Refused, SpeechStopped, Transcript
from probe.protocols.hearing import SttConversation
from probe.record import Stage
from probe.spoken_words import spoken_words
from probe.timestamps import NEVER, NS_PER_MS, NS_PER_S

# As microphones and WebRTC deliver it.
FRAME_MS = 20
_FRAME_NS = FRAME_MS * NS_PER_MS
# Silence before the speech: at least what a server needs, and at most this much of the recording's own.
_LEAST_LEAD_MS, _MOST_LEAD_MS = 100, 300
# Who cuts people off loses so many words at least: a single one at the end may as well have been missed.
_CUT_WORDS = 2
_BYTES = 2


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
        # Which frame ends with the last voiced sample, and which one has the first.
        self.voiced = (lead + voiced) // self._size
        self.first = (lead + utterance.first_voiced - begin) // self._size + 1
        # When the first voiced sample is due, and the pauses, in nanoseconds since the begin.
        self._before, self._rate = lead - begin, rate
        self.first_voiced = self._due(utterance.first_voiced)
        self.pauses = tuple(
            PlayedPause(self._due(each.start), self._due(each.end), each.words) for each in utterance.pauses
        )

    def _due(self, sample: int) -> int:
        """When a sample of the utterance is played."""
        return (self._before + sample) * NS_PER_S // self._rate

    def frames(self) -> Iterator[bytes]:
        """The speech, the silence that was recorded behind it, and then silence without an end."""
        size = _BYTES * self._size
        at = 0
        while True:
            frame = self._samples[at : at + size]
            yield frame + self._silent(at + len(frame), size - len(frame))
            at += size

    def background(self, number: int) -> bytes:
        """One more frame without speech."""
        return self._silent(number * _BYTES * self._size, _BYTES * self._size)

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
        self._playback = Playback(utterance)
        self._line = line
        self._name = NAMES[line.role]
        self._began = False
        # When the first frame began.
        self._zero: int | None = None
        # When what was written last was due.
        self._played_until = 0
        self._start: int | None = None
        self._end: int | None = None
        self._stopped: int | None = None
        self._stopped_late: int | None = None
        self._understood: int | None = None
        self._transcript = ""
        self._late: int | None = None
        self._latest: int | None = None

    @property
    def owes(self) -> bool:
        return self._began and self._understood is None

    @property
    def listens(self) -> bool:
        """Whether what the server says is of this speech."""
        return self.owes

    def heard(self) -> Heard:
        """The result until now."""
        return Heard(
            self._start, self._end, self._stopped, self._understood, self._transcript, self._utterance.text,
            self._late, self._latest, *self._played(), self._stopped_late,
        )  # fmt: skip

    def _played(self) -> tuple[int | None, tuple[PlayedPause, ...]]:
        """When the voice began, and the pauses since then."""
        zero = self._zero
        if zero is None:
            return None, ()
        begun = (each for each in self._playback.pauses if zero + each.start < self._played_until)
        pauses = (PlayedPause(zero + each.start, zero + each.end, each.words) for each in begun)
        voice = zero + self._playback.first_voiced
        return voice if voice < self._played_until else None, tuple(pauses)

    async def take(self) -> str:
        """Play it, and return what was understood. Raises Fault and Busy."""
        await self.play()
        while self._understood is None:
            await self._session.pump(NEVER, self._line)
        self._require_understood()
        return self._transcript

    async def play(self) -> None:
        """Play it until the server has its end. Raises Fault and Busy."""
        self._session.stage = "stt"
        await self._session.perform(self._line, self._conversation.begin(self._session.clock.now()))
        self._began = True
        await self._play()

    def on_event(self, event: Event, at: int) -> None:
        if not self.listens:
            return
        match event:
            case SpeechStopped() if self._stopped is None:
                self._stopped = at
                self._session.report("speech_stopped", at)
                self._require_whole(at, "took the speech for finished")
            case Transcript(text):
                self._understood = at
                self._transcript = text
                self._session.report("transcript", at, text=self._transcript)
                self._require_whole(at, "transcribed the speech")
            case Refused(fatal=True):
                raise self._refusal(event)
            case Malformed(detail):
                raise self._fault("malformed", f"sent a frame that is not its protocol: {detail}")

    def on_written(self, at: int) -> None:
        """No request of it has a time of its own."""

    async def _play(self) -> None:
        """Write frame after frame, each when a microphone would have it whole: what is late delays none that follow."""
        playback = self._playback
        began = self._zero = self._session.clock.now()
        limit = round(self._session.plan.target.limits.stt_s * NS_PER_S)
        for number, frame in enumerate(playback.frames(), 1):
            due = began + number * _FRAME_NS
            while await self._session.pump(due):
                if self.is_over:
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
    def is_over(self) -> bool:
        """Whether the server needs no more audio."""
        return self._stopped is not None or self._understood is not None

    async def _write(self, frame: bytes, due: int, *, last: bool) -> None:
        written = await self._session.perform(self._line, self._conversation.hear(frame, due))
        if written is None:
            # If all of it is uploaded at the end, a frame counts as written when it is collected.
            written = self._session.clock.now()
        self._played_until = due
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
        """Require that all of the speech had been sent. Raises Fault that says what was done with it before."""
        # What came while the last frame was written is read after it.
        if self._zero is not None and at < self._zero + self._playback.first_voiced:
            raise self._fault("false_trigger", f"{what} before it had begun")
        if self._end is None or at < self._end:
            heard = self.heard()
            # Where neither event says so, an answer does.
            seen = heard if self._stopped or self._understood else replace(heard, speech_stopped=at)
            where = whole_wait.cut_off(seen)
            raise self._fault("ended_early", f"{what} before it was over{'' if where is None else f', {where}'}")

    def _require_understood(self) -> None:
        """Require a transcript of the whole speech, with some of its words: any other has no meaningful answer."""
        understood = spoken_words(self._transcript)
        if not understood:
            raise self._fault("no_transcript", "understood nothing")
        if self._utterance.text is None:
            return
        said = spoken_words(self._utterance.text)
        if (missing := self._cut_words(said, understood)) > 0:
            what = f"understood the first words alone: the last {missing} are missing"
            cut_off = whole_wait.cut_off(self.heard())
            raise self._fault("ended_early", what if cut_off is None else f"{what}, {cut_off}")
        if words.has_nothing_of(said, understood):
            raise self._fault("not_understood", f"understood none of the {len(said)} words")

    def _cut_words(self, said: list[str], understood: list[str]) -> int:
        """How many words at the end a server has cut off; 0 where that is not certain.

        A transcript that ends at a pause is certain enough, whether the server or the probe finds the end.
        """
        if not words.is_beginning(said, understood):
            return 0
        found = len(understood)
        missing = len(said) - found
        at_a_pause = any(each.words == found for each in self._utterance.pauses)
        certain = _CUT_WORDS * words.parts_of_a_word(said[-1])
        return missing if at_a_pause or (self._stopped is not None and missing >= certain) else 0

    def _fault(self, reason: str, what: str) -> Fault:
        return Fault("stt", reason, f"the {self._name} server {what}", self._line)

    def _refusal(self, refused: Refused) -> Exception:
        if refused.busy:
            return Busy(refused.message)
        return Fault("stt", refused.reason, f"{self._name} server: {refused.message}", self._line)
