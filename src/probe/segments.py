"""Whose audio is it? Gives each audio frame of one TTS stream to the text that it speaks. Pure: no waiting, no sockets.

A server of the newer generation marks the end of each segment, in the order of the texts, and that settles it. An older
one marks nothing: there a segment ends with a gap, and audio belongs to the last text sent before it arrived.
"""

import math
from dataclasses import dataclass, field

from probe.audio import speakable
from probe.inbox import NEVER, NS_A_S
from probe.record import Limits, SegmentEnd

NS_A_MS = 1_000_000
# The older generation's own estimate, by which it decides whether a text is worth speaking yet.
ESTIMATED_MS_A_WORD = 400


@dataclass(slots=True)
class Segment:
    """One text handed to the TTS server, and the audio made from it so far."""

    chunk_num: int
    text: str
    sent: int
    frames: list[tuple[int, int]] = field(default_factory=list)
    pcm: bytearray = field(default_factory=bytearray)
    end: SegmentEnd | None = None
    done: int | None = None
    late_bytes: int = 0
    held: bool = False
    marked: bool = False

    def own_pace(self, size: int) -> float:
        """Bytes of audio a character."""
        return size / max(1, len(self.text.strip()))


class Segments:
    """The segments of one TTS stream. `markers`: whether this server is known to mark their ends."""

    def __init__(self, limits: Limits, *, markers: bool) -> None:
        self.markers = markers
        self.all: list[Segment] = []
        self.stray_bytes = 0
        self.done: int | None = None
        self.doubts: list[str] = []
        self._gap = round(limits.gap_ms * NS_A_MS)
        self._hold = round(limits.hold_s * NS_A_S)
        self._flush_ms = limits.flush_ms
        self._disturbed: Segment | None = None
        self._closed = False

    def speak(self, chunk_num: int, text: str, at: int) -> Segment:
        """Note that a text was handed to the server."""
        segment = Segment(chunk_num, text, at)
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
        if owner.done is not None and at > owner.done:
            owner.late_bytes += len(pcm)
            self._disturbed = owner
            if owner.marked:
                self.doubts.append(f"chunk {owner.chunk_num}: audio after the end of the last segment")
        owner.frames.append((at, len(pcm)))
        owner.pcm += pcm
        return owner

    def marker(self, at: int) -> Segment | None:
        """Note the server's word that its oldest unfinished segment is over, and return that segment."""
        self.markers = True
        owner = next((s for s in self._unmarked() if s.sent <= at), None)
        if owner is None:
            return None
        owner.marked = True
        self._disturbed = None
        for later in self.all[self.all.index(owner) + 1 :]:
            _move_audio(later, owner)
        if owner.done is None:
            self._close(owner, "marker", at)
        return owner

    def finish(self, at: int, generated: int | None = None) -> None:
        """Note the server's word that all audio of the stream has been sent, in `generated` segments if it says so."""
        self.done = at
        for segment in self.all:
            if segment.frames and segment.end is None:
                self._close(segment, "done", at)
        if any(segment.end == "merged" for segment in self.all):
            self._kept_or_slow(generated, at)
        self._doubt_late_audio()

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
            self._close(segment, "gap", now)
        else:
            segment.held = True
        return segment

    def _owner(self, at: int) -> Segment | None:
        sent = [s for s in self.all if s.sent <= at]
        if not sent:
            return None
        if self.markers:
            return next((s for s in self._unmarked() if s.sent <= at), sent[-1])
        return sent[-1]

    def _unmarked(self) -> list[Segment]:
        """The segments whose marker is due, oldest first. A text without a word that was passed over has none."""
        waiting = [s for s in self.all if not s.marked]
        return [s for s in waiting if s is waiting[-1] or s.frames or speakable(s.text)]

    def _may_be_held(self, segment: Segment) -> bool:
        if self._closed:
            return False
        if not speakable(segment.text):
            return True
        return not self.markers and self._estimated_ms(segment) < self._flush_ms

    def _estimated_ms(self, segment: Segment) -> int:
        """The server's estimate for all texts that it would still hold, joined as it joins them: with nothing."""
        held: list[str] = []
        for each in reversed(self.all[: self.all.index(segment) + 1]):
            if each.frames:
                break
            held.insert(0, each.text)
        return ESTIMATED_MS_A_WORD * len("".join(held).split())

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
        texts, unmerged = len(self.all), len([segment for segment in self.all if segment.end != "merged"])
        if unmerged in (len(bursts), generated):
            return
        if len(bursts) != texts or generated not in (None, texts):
            self.doubts.append("the server kept texts back, or was slow: which audio is whose can't be told")
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
        return [frames[start:end] for start, end in zip(starts, [*starts[1:], len(frames)], strict=True)]

    def _doubt_late_audio(self) -> None:
        """Late audio of a later text may mean that its first audio was the rest of the text before it."""
        for before, segment in zip(self.all, self.all[1:], strict=False):
            if segment.late_bytes and not segment.marked and before.frames and not _told_by_pace(before, segment):
                self.doubts.append(
                    f"chunk {segment.chunk_num}: the server paused inside a segment for longer than the gap, and which "
                    f"audio is whose can't be told; a larger gap_ms would bridge the pause"
                )


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


def _told_by_pace(before: Segment, segment: Segment) -> bool:
    """Whether the late audio is more likely `segment`'s own than the sign that its first part was `before`'s.

    Speech has a pace: of both readings, the likely one gives both texts about as many bytes a character.
    """
    whole = len(segment.pcm)
    first = whole - segment.late_bytes
    own = math.log(segment.own_pace(whole) / before.own_pace(len(before.pcm)))
    shifted = math.log(segment.own_pace(segment.late_bytes) / before.own_pace(len(before.pcm) + first))
    return abs(own) < abs(shifted)
