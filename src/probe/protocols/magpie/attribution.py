"""Attributes each audio frame of a turn to the text that it speaks. Pure: no waiting, no sockets.

A newer server marks the end of each segment, in the order of the texts, and that settles it. An older
one marks nothing: there a segment ends with a gap, and audio belongs to the last text sent before it arrived. Each text
has a word: of others nobody hears anything, and they go with the next one.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from probe import audio
from probe.protocols.magpie import doubts
from probe.protocols.magpie.behaviour import Behaviour, is_one_word
from probe.protocols.magpie.bursts import bursts_of, deal
from probe.protocols.segments import Segment
from probe.record import SegmentEnd
from probe.timestamps import NEVER, NS_PER_MS, NS_PER_S

# How much longer than its last text a slow server may take for the next one.
PATIENCE = 1.5


class Guessed:
    """The segments of a turn, in one TTS stream or, where the server has ended that, in several.

    Nothing distinguishes a server that keeps a text back from one that is slow to speak it, until audio comes: its
    length shows whether it is one text's or several's, and the number of segments in the whole stream has the last
    word.
    """

    def __init__(self, options: Mapping[str, Any], behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.sample_rate: int = options["sample_rate"]
        self.all: list[Segment] = []
        self.stray_bytes = 0
        self.done: int | None = None
        # Those of the stream that is open.
        self._stream: list[Segment] = []
        self._doubts: list[str] = []
        self._gap: int = round(options["gap_ms"] * NS_PER_MS)
        self._hold_ns: int = round(options["hold_s"] * NS_PER_S)
        self._disturbed: Segment | None = None
        self._closed = False
        self._held_back = False
        # The text that a slow server still has to speak, and until when it would have.
        self._owed: Segment | None = None
        self._owed_until = 0

    def speak(self, chunk_num: int, text: str, at: int) -> Segment:
        """Note that a text was handed to the server."""
        segment = Segment(chunk_num, text, at, self.sample_rate)
        self.all.append(segment)
        self._stream.append(segment)
        if self.behaviour.keeps(self._joined(segment)):
            self._hold(segment)
        return segment

    def close(self) -> None:
        """Note that no more text comes: from here on the server keeps nothing back."""
        self._closed = True
        for segment in self._stream:
            segment.held = segment.held and segment is not self._stream[-1]

    def reopen(self) -> None:
        """Note that the server has ended this stream: what it has not spoken, and the next text, have another."""
        self.done = self._disturbed = None
        self._held_back = False
        self._stream = [segment for segment in self._stream if segment.end is None and not segment.held]

    def audio(self, pcm: bytes, at: int) -> Segment | None:
        """Give a frame to its segment and return it; None where the audio belongs to no text."""
        owner = None if self.done is not None else self._owner(at)
        if owner is None:
            self.stray_bytes += len(pcm)
            return None
        owner.held = False
        if owner.end == "merged":
            # The first marker of the stream has shown that the server speaks each text by itself.
            owner.end = None
        if owner.done is not None and at >= owner.done:
            owner.late_bytes += len(pcm)
            self._disturbed = owner
            if owner.marked:
                self._doubt(f"chunk {owner.chunk_num}: audio after the end of the last segment")
        owner.frames.append((at, len(pcm)))
        owner.pcm += pcm
        return owner

    def marker(
        self, at: int, stated_ms: float | None = None, how: Literal["marker", "end"] = "marker"
    ) -> Segment | None:
        """Note the server's word that its oldest unfinished segment is over, and return that segment.

        `stated_ms`: how long the server says that it lasts.
        """
        owner = self._marked(at, stated_ms)
        self.behaviour.markers = True
        if owner is None:
            return None
        owner.marked = True
        self._disturbed = None
        for later in self._stream[self._stream.index(owner) + 1 :]:
            # What has its own marker is settled, whatever comes for an earlier one.
            if not later.marked:
                _move_audio(later, owner)
        if owner.end in (None, "gap", "merged"):
            # Before the first marker, a pause had looked like the end.
            owner.late_bytes = 0
            self._close(owner, how, at)
        owner.stated_ms = stated_ms
        return owner

    def finish(self, at: int, generated: int | None = None) -> None:
        """Note the server's word that all audio of the stream has been sent, in `generated` segments if it says so."""
        self.done = at
        for segment in self._stream:
            if segment.frames and segment.end is None:
                self._close(segment, "done", at)
        late = any(segment.late_bytes for segment in self._stream)
        if not self.behaviour.markers and (self._held_back or (late and generated is not None)):
            self._kept_or_slow(generated, at)
        if generated is not None and generated == len([segment for segment in self._stream if segment.frames]):
            # Each text without one was kept until the next came.
            for segment in (each for each in self._stream if each.end == "merged"):
                self.behaviour.kept(self._joined(segment))

    def format(self, rate: int) -> None:
        """Samples are as configured: these servers do not say."""
        del rate

    def doubts(self) -> Sequence[str]:
        """What can't be known for sure."""
        missing = doubts.of_missing_markers(self.all) if self.behaviour.markers else ()
        return [*self._doubts, *missing, *doubts.of_late_audio(self.all)]

    def pending(self) -> Segment | None:
        """The first segment that is neither over nor held back by the server."""
        return next((s for s in self._stream if s.end is None and not s.held), None)

    def wakes_at(self) -> int | None:
        """Until when to wait for more (NEVER: as long as the server may take), None when all is settled."""
        segment = self.pending()
        if segment is None:
            return None if self._disturbed is None else self._disturbed.frames[-1][0] + self._gap
        if segment.frames and not self.behaviour.markers:
            return segment.frames[-1][0] + self._gap
        if segment is self._owed and not self._closed:
            return self._owed_until
        if not segment.frames and self._may_be_held(segment):
            return segment.sent + self._hold_ns
        return NEVER

    def expire(self, now: int) -> Segment | None:
        """Act on a wait that `wakes_at` has bounded and that is over; returns the segment that this ended or held."""
        wakes_at = self.wakes_at()
        if wakes_at is None or now < wakes_at:
            return None
        segment = self.pending()
        if segment is None:
            self._disturbed = None
        elif segment.frames:
            return self._end_by_gap(segment, now)
        elif segment is self._owed:
            self._take_back(segment)
        else:
            self._hold(segment)
        return segment

    def give_up(self, now: int) -> Segment | None:
        """The server has been silent for as long as it may: end the segment whose audio came, and its marker never did.

        None where none is like that.
        """
        segment = self.pending()
        if segment is None or not segment.frames:
            return None
        self._close(segment, "gap", now)
        return segment

    def _hold(self, segment: Segment) -> None:
        segment.held = self._held_back = True
        if is_one_word(text := self._joined(segment)):
            # A server that keeps texts at all keeps that one.
            self.behaviour.kept(text)

    def _end_by_gap(self, segment: Segment, now: int) -> Segment:
        """End the segment whose audio has stopped; an earlier one, if that was assumed kept and is what we heard."""
        spoken = segment if self._owed is not None or self._closed else self._last_spoken(segment)
        if spoken is not segment:
            _move_audio(segment, spoken)
            spoken.held = False
            self._owed = segment
            self._owed_until = now + round(PATIENCE * (spoken.frames[0][0] - spoken.sent))
        elif segment is self._owed:
            # Its own audio came: the server is slow, and keeps nothing back but what all servers do.
            self._owed = None
            self.behaviour.spoke("")
        elif not self._closed:
            self._learn(segment)
        self._close(spoken, "gap", now)
        return spoken

    def _learn(self, segment: Segment) -> None:
        """Its audio came without more text, and the texts before it, if any are unspoken, wanted it."""
        unspoken = self._unspoken(segment)
        self.behaviour.spoke("".join(each.text for each in unspoken))
        if unspoken[:-1]:
            self.behaviour.kept("".join(each.text for each in unspoken[:-1]))

    def _last_spoken(self, segment: Segment) -> Segment:
        """The last of the texts that the audio speaks, by its length: not `segment` where the server was just slow."""
        unspoken = self._unspoken(segment)
        return unspoken[self.behaviour.last_spoken([each.text for each in unspoken], self._duration_ms([segment]))]

    def _take_back(self, segment: Segment) -> None:
        """No other audio came: the texts were kept and spoken together after all."""
        before = next(s for s in reversed(self._stream[: self._stream.index(segment)]) if s.frames)
        _move_audio(before, segment)
        self._owed = None
        self._close(segment, "gap", segment.frames[-1][0] + self._gap)

    def _owner(self, at: int) -> Segment | None:
        sent = [s for s in self._stream if s.sent <= at]
        if not sent or not self.behaviour.markers:
            return sent[-1] if sent else None
        unmarked = [s for s in sent if not s.marked]
        # The marker of one that was given up is not to be expected any more.
        return next((s for s in unmarked if s.end != "gap"), unmarked[-1] if unmarked else sent[-1])

    def _marked(self, at: int, stated_ms: float | None) -> Segment | None:
        """The segment that a marker is the end of: the oldest, unless the one of an earlier segment never came."""
        unmarked = [s for s in self._stream if not s.marked and s.sent <= at]
        for n, segment in enumerate(unmarked):
            if stated_ms is not None and audio.same_duration(stated_ms, self._duration_ms(unmarked[n:])):
                return segment
        if self.behaviour.markers and any(s.frames for s in unmarked if s.end != "gap"):
            return next(s for s in unmarked if s.end != "gap")
        return unmarked[0] if unmarked else None

    def _may_be_held(self, segment: Segment) -> bool:
        return not self._closed and self.behaviour.may_keep(self._joined(segment))

    def _unspoken(self, segment: Segment) -> list[Segment]:
        """The segments up to this one whose texts have not been spoken yet, so far as we know."""
        before = self._stream[: self._stream.index(segment)]
        spoken = max((n for n, each in enumerate(before) if each.frames), default=-1)
        return [*before[spoken + 1 :], segment]

    def _joined(self, segment: Segment) -> str:
        """What this segment speaks if nothing before it was spoken, as an older server joins texts: nothing between."""
        return "".join(each.text for each in self._unspoken(segment))

    def _duration_ms(self, segments: Sequence[Segment]) -> float:
        return audio.duration_ns(sum(len(each.pcm) for each in segments), self.sample_rate) / NS_PER_MS

    def _close(self, segment: Segment, end: SegmentEnd, at: int) -> None:
        segment.end, segment.done = end, at
        if self.behaviour.markers:
            return
        for earlier in self._stream[: self._stream.index(segment)]:
            if not earlier.frames and earlier.end is None:
                earlier.end = "merged"

    def _kept_or_slow(self, generated: int | None, at: int) -> None:
        """Distinguish texts that the server kept, and spoke with the next one, from texts that it was slow to speak.

        Both look the same until the stream is over: then there are as many segments as texts, or fewer.
        """
        bursts = bursts_of(self._stream, self._gap)
        texts, unmerged = len(self._stream), len([segment for segment in self._stream if segment.frames])
        counted = len(bursts) if generated is None else generated
        if counted == unmerged or (counted == texts and len(bursts) == unmerged):
            return
        early = any(burst[0][0] < segment.sent for segment, burst in zip(self._stream, bursts, strict=False))
        if len(bursts) != texts or counted != texts or early:
            self._doubt("the server kept texts back, or was slow: it is unknown which audio belongs to which text")
            return
        deal(bursts, self._stream, self._gap)
        self._stream[-1].end, self._stream[-1].done = "done", at

    def _doubt(self, reason: str) -> None:
        if reason not in self._doubts:
            self._doubts.append(reason)


def _move_audio(source: Segment, owner: Segment) -> None:
    """Hand over audio that a marker has shown to be an earlier segment's."""
    if not source.frames:
        return
    if owner.done is not None:
        owner.late_bytes += len(source.pcm)
    owner.frames += source.frames
    owner.pcm += source.pcm
    source.frames, source.pcm = [], bytearray()
    source.end, source.done, source.late_bytes = None, None, 0
