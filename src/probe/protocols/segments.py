"""Segments of speech and their texts: the engine's view of audio, for every protocol. Pure."""

from collections.abc import Sequence
from typing import Literal, Protocol

from msgspec import Struct, field

from probe.record import SegmentEnd
from probe.timestamps import NEVER


class Segment(Struct):
    """One text handed to the TTS server, and the audio made from it so far."""

    chunk_num: int
    text: str
    sent: int
    # Of its audio, in Hz.
    sample_rate: int
    frames: list[tuple[int, int]] = field(default_factory=list)
    pcm: bytearray = field(default_factory=bytearray)
    end: SegmentEnd | None = None
    done: int | None = None
    # Audio that came after we had taken the segment for finished.
    late_bytes: int = 0
    # Whether the server may be keeping the text until more comes, so that nobody waits for it.
    held: bool = False
    marked: bool = False
    # How long the server says that it lasts.
    stated_ms: float | None = None
    # Whether its text was ours to hand over; an agent has it itself.
    handed_over: bool = True


class Attribution(Protocol):
    """Attributes audio to one turn's texts, as segments. Times are nanoseconds."""

    # Every text of the turn, in the order in which they were sent.
    all: list[Segment]
    # When the server said that all audio of the turn has been sent.
    done: int | None
    # Audio that belongs to no text.
    stray_bytes: int

    def speak(self, chunk_num: int, text: str, at: int) -> Segment:
        """Note that a text was handed to the server."""

    def close(self) -> None:
        """Note that no more text comes."""

    def audio(self, pcm: bytes, at: int) -> Segment | None:
        """Give audio to its segment and return it; None where it belongs to no text."""

    def marker(
        self, at: int, stated_ms: float | None = None, how: Literal["marker", "end"] = "marker"
    ) -> Segment | None:
        """Note the server's word that a segment is over, and lasts so long; returns that segment."""

    def finish(self, at: int, generated: int | None = None) -> None:
        """Note the server's word that all audio has been sent, in so many segments if it says so."""

    def format(self, rate: int) -> None:
        """Note the sample rate of what comes from now on."""

    def pending(self) -> Segment | None:
        """The first segment that is neither over nor held back by the server."""

    def wakes_at(self) -> int | None:
        """Until when to wait for more (NEVER: as long as the server may take), None when all is settled."""

    def expire(self, now: int) -> Segment | None:
        """Act on a wait that `wakes_at` has bounded and that is over; returns the segment that this ended or held."""

    def give_up(self, now: int) -> Segment | None:
        """The server has been silent for as long as it may: end what is over except for its word, and return that.

        None where nothing is: the silence is a failure.
        """

    def reopen(self) -> None:
        """Note that the server has ended its stream: a text that was on its way to it, and the next, have another."""

    def doubts(self) -> Sequence[str]:
        """What can't be known for sure, in sentences for a person."""


class InOrder:
    """For servers that say where each segment ends: audio belongs to the oldest text that is not spoken yet."""

    def __init__(self, sample_rate: int) -> None:
        self.all: list[Segment] = []
        self.done: int | None = None
        self.stray_bytes = 0
        self._rate = sample_rate

    def speak(self, chunk_num: int, text: str, at: int) -> Segment:
        segment = Segment(chunk_num, text, at, self._rate)
        self.all.append(segment)
        return segment

    def close(self) -> None:
        """Nothing is held back that this would set free."""

    def audio(self, pcm: bytes, at: int) -> Segment | None:
        owner = self.pending()
        if owner is None or at < owner.sent or self.done is not None:
            self.stray_bytes += len(pcm)
            return None
        owner.frames.append((at, len(pcm)))
        owner.pcm += pcm
        return owner

    def marker(
        self, at: int, stated_ms: float | None = None, how: Literal["marker", "end"] = "marker"
    ) -> Segment | None:
        owner = self.pending()
        if owner is None or at < owner.sent:
            return None
        owner.marked, owner.end, owner.done, owner.stated_ms = True, how, at, stated_ms
        return owner

    def finish(self, at: int, generated: int | None = None) -> None:
        del generated
        self.done = at
        for segment in self.all:
            if segment.frames and segment.end is None:
                segment.end, segment.done = "done", at

    def format(self, rate: int) -> None:
        self._rate = rate
        for segment in self.all:
            if not segment.frames:
                segment.sample_rate = rate

    def pending(self) -> Segment | None:
        return next((each for each in self.all if each.end is None), None)

    def wakes_at(self) -> int | None:
        return None if self.pending() is None else NEVER

    def expire(self, now: int) -> Segment | None:
        del now
        return None

    def give_up(self, now: int) -> Segment | None:
        """The end of a segment is part of its answer here."""
        del now
        return None

    def reopen(self) -> None:
        self.done = None

    def doubts(self) -> Sequence[str]:
        return ()


class Whole(InOrder):
    """For agents, which are handed no text: all audio of a turn is one segment, and the end of the answer ends it.

    A marker before that is the end where nothing is heard behind it: an answer may have several parts.
    """

    def __init__(self, sample_rate: int) -> None:
        super().__init__(sample_rate)
        self._marked_at = 0

    def speak(self, chunk_num: int, text: str, at: int) -> Segment:
        segment = super().speak(chunk_num, text, at)
        segment.handed_over = False
        return segment

    def marker(
        self, at: int, stated_ms: float | None = None, how: Literal["marker", "end"] = "marker"
    ) -> Segment | None:
        del stated_ms, how
        self._marked_at = at
        return None

    def finish(self, at: int, generated: int | None = None) -> None:
        del generated
        self.done = at
        for segment in self.all:
            last = segment.frames[-1][0] if segment.frames else at
            if segment.end is None and last < self._marked_at:
                segment.marked, segment.end, segment.done = True, "marker", self._marked_at
            elif segment.end is None:
                segment.end, segment.done = "done", at
