"""Whose audio is it? Gives each audio frame of one TTS stream to the text that it speaks. Pure: no waiting, no sockets.

A server of the newer generation marks the end of each segment, in the order of the texts, and that settles it. An older
one marks nothing: there a segment ends with a gap, and audio belongs to the last text sent before it arrived.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

from probe.audio import duration_ns, speakable
from probe.protocols.segments import Segment
from probe.record import SegmentEnd
from probe.timestamps import NEVER, NS_PER_MS, NS_PER_S

# The older generation's own estimate, by which it decides whether a text is worth speaking yet.
ESTIMATED_MS_PER_WORD = 400
# A server set up for the probe keeps back only what is shorter than two words.
LEAST_FLUSH_MS = 500
# How much longer than its last text a slow server may take for the next one.
PATIENCE = 1.5


class Guessed:
    """The segments of one TTS stream. `markers`: whether this server is known to mark their ends.

    Nothing tells a server that keeps a text back from one that is slow to speak it, until audio comes: its length shows
    whether it is one text's or several's, and the number of segments in the whole stream has the last word.
    """

    def __init__(self, options: Mapping[str, Any], *, markers: bool) -> None:
        self.markers = markers
        self.sample_rate: int = options["sample_rate"]
        self.all: list[Segment] = []
        self.stray_bytes = 0
        self.done: int | None = None
        self._doubts: list[str] = []
        self._gap: int = round(options["gap_ms"] * NS_PER_MS)
        self._hold: int = round(options["hold_s"] * NS_PER_S)
        self._flush_ms: float = options["flush_ms"]
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
        return segment

    def close(self) -> None:
        """Note that no more text comes: from here on the server keeps nothing back."""
        self._closed = True
        for segment in self.all:
            segment.held = segment.held and segment is not self.all[-1]

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
        self.markers = True
        owner = next((s for s in self._unmarked() if s.sent <= at), None)
        if owner is None:
            return None
        owner.marked = True
        self._disturbed = None
        for later in self.all[self.all.index(owner) + 1 :]:
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
        for segment in self.all:
            if segment.frames and segment.end is None:
                self._close(segment, "done", at)
        late = any(segment.late_bytes for segment in self.all)
        if not self.markers and (self._held_back or (late and generated is not None)):
            self._kept_or_slow(generated, at)

    def format(self, rate: int) -> None:
        """Samples are as configured: these servers do not say."""
        del rate

    def doubts(self) -> Sequence[str]:
        """What can't be known for sure, and late audio that may mean that the rest of one text was another's first."""
        return [*self._doubts, *_of_late_audio(self.all)]

    def pending(self) -> Segment | None:
        """The first segment that is neither over nor held back by the server."""
        return next((s for s in self.all if s.end is None and not s.held), None)

    def wakes_at(self) -> int | None:
        """Until when to wait for more (NEVER: as long as the server may take), None when all is settled."""
        segment = self.pending()
        if segment is None:
            return None if self._disturbed is None else self._disturbed.frames[-1][0] + self._gap
        if segment.frames and not self.markers:
            return segment.frames[-1][0] + self._gap
        if segment is self._owed and not self._closed:
            return self._owed_until
        if not segment.frames and self._may_be_held(segment):
            return segment.sent + self._hold
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
            segment.held = True
            self._held_back = self._held_back or speakable(segment.text)
        return segment

    def _end_by_gap(self, segment: Segment, now: int) -> Segment:
        """End the segment whose audio has stopped: an earlier one, if that was taken for kept and is what we heard."""
        spoken = segment if self._owed is not None or self._closed else self._last_spoken(segment)
        if spoken is not segment:
            _move_audio(segment, spoken)
            spoken.held = False
            self._owed = segment
            self._owed_until = now + round(PATIENCE * (spoken.frames[0][0] - spoken.sent))
        elif segment is self._owed:
            # Its own audio came: the server is slow, and keeps nothing back but what all servers do.
            self._owed = None
            self._flush_ms = min(self._flush_ms, LEAST_FLUSH_MS)
        self._close(spoken, "gap", now)
        return spoken

    def _last_spoken(self, segment: Segment) -> Segment:
        """The last of the texts that the audio speaks, by its length: not `segment` where the server was just slow."""
        heard_ms = duration_ns(len(segment.pcm), self.sample_rate) / NS_PER_MS
        unspoken = self._unspoken(segment)
        estimated = [(_estimated_ms(_joined(unspoken[: n + 1])), each) for n, each in enumerate(unspoken)]
        worth_it = [(ms, each) for ms, each in estimated if ms >= LEAST_FLUSH_MS]
        if not worth_it:
            return segment
        return min(worth_it, key=lambda candidate: abs(math.log(heard_ms / candidate[0])))[1]

    def _take_back(self, segment: Segment) -> None:
        """No other audio came: the texts were kept and spoken together after all."""
        before = next(s for s in reversed(self.all[: self.all.index(segment)]) if s.frames)
        _move_audio(before, segment)
        self._owed = None
        self._close(segment, "gap", segment.frames[-1][0] + self._gap)

    def _owner(self, at: int) -> Segment | None:
        sent = [s for s in self.all if s.sent <= at]
        if not sent:
            return None
        if self.markers:
            return next((s for s in self._unmarked() if s.sent <= at), sent[-1])
        return sent[-1]

    def _unmarked(self) -> list[Segment]:
        """The segments whose marker is due, oldest first. A text without a word that was passed over has none."""
        return [s for s in self.all if not s.marked and (s is self.all[-1] or s.frames or speakable(s.text))]

    def _may_be_held(self, segment: Segment) -> bool:
        if self._closed:
            return False
        if not speakable(segment.text):
            return True
        return not self.markers and _estimated_ms(_joined(self._unspoken(segment))) < self._flush_ms

    def _unspoken(self, segment: Segment) -> list[Segment]:
        """The segments up to this one whose texts have not been spoken yet, so far as we know."""
        before = self.all[: self.all.index(segment)]
        spoken = max((n for n, each in enumerate(before) if each.frames), default=-1)
        return [*before[spoken + 1 :], segment]

    def _close(self, segment: Segment, end: SegmentEnd, at: int) -> None:
        segment.end, segment.done = end, at
        if self.markers:
            return
        for earlier in self.all[: self.all.index(segment)]:
            if not earlier.frames and earlier.end is None:
                earlier.end = "merged"

    def _kept_or_slow(self, generated: int | None, at: int) -> None:
        """Tell texts that the server kept, and spoke with the next one, from texts that it was slow to speak.

        Both look the same until the stream is over: then there are as many segments as texts, or fewer.
        """
        bursts = self._bursts()
        texts, unmerged = len(self.all), len([segment for segment in self.all if segment.frames])
        counted = len(bursts) if generated is None else generated
        if counted == unmerged or (counted == texts and len(bursts) == unmerged):
            return
        early = any(burst[0][0] < segment.sent for segment, burst in zip(self.all, bursts, strict=False))
        if len(bursts) != texts or counted != texts or early:
            self._doubt("the server kept texts back, or was slow: which audio is whose can't be told")
            return
        pcm = b"".join(bytes(segment.pcm) for segment in self.all)
        for segment, burst in zip(self.all, bursts, strict=True):
            size = sum(size for _, size in burst)
            segment.frames, segment.pcm, pcm = burst, bytearray(pcm[:size]), pcm[size:]
            segment.end, segment.done, segment.late_bytes = "gap", burst[-1][0] + self._gap, 0
        self.all[-1].end, self.all[-1].done = "done", at

    def _bursts(self) -> list[list[tuple[int, int]]]:
        """All audio in the order of its arrival, parted where a gap would have ended a segment."""
        frames = [frame for segment in self.all for frame in segment.frames]
        starts = [i for i, frame in enumerate(frames) if i == 0 or frame[0] - frames[i - 1][0] > self._gap]
        return [frames[start:end] for start, end in zip(starts, [*starts[1:], len(frames)], strict=False)]

    def _doubt(self, reason: str) -> None:
        if reason not in self._doubts:
            self._doubts.append(reason)


def _of_late_audio(segments: Sequence[Segment]) -> Iterator[str]:
    for before, segment in pairwise(segments):
        if segment.late_bytes and not segment.marked and before.frames and not _settled_by_pace(before, segment):
            yield (
                f"chunk {segment.chunk_num}: the server paused inside a segment for longer than the gap, and which "
                f"audio is whose can't be told; a larger gap_ms would bridge the pause"
            )


def _settled_by_pace(before: Segment, segment: Segment) -> bool:
    """Whether the late audio is more likely `segment`'s own than the sign that its first part was `before`'s.

    Speech has a pace: of both readings, the likely one gives both texts about as many bytes per character.
    """
    whole = len(segment.pcm)
    first = whole - segment.late_bytes
    own = math.log(_pace(segment, whole) / _pace(before, len(before.pcm)))
    shifted = math.log(_pace(segment, segment.late_bytes) / _pace(before, len(before.pcm) + first))
    return abs(own) < abs(shifted)


def _pace(segment: Segment, size: int) -> float:
    """Bytes of audio per character."""
    return size / max(1, len(segment.text.strip()))


def _joined(segments: Sequence[Segment]) -> str:
    """The texts as an older server joins them: with nothing between."""
    return "".join(segment.text for segment in segments)


def _estimated_ms(text: str) -> int:
    return ESTIMATED_MS_PER_WORD * len(text.split())


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
