"""What the two versions of TTS server make of one stream's requests: no socket, no clock, no engine.

Where the field's behaviour is not known, both do the plain thing: `cancel` has no answer and leaves the stream open,
a `text` after `close` is ignored, segments are numbered from 1.
"""

from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass
from typing import ClassVar
from uuid import uuid4

from probe.reference.speech.engine import VOICES
from probe.reference.speech.pcm import BYTES_PER_SAMPLE
from probe.reference.tts_messages import BadRequestError, Init, Text

MS_PER_WORD = 400
MODES = ("batch", "stream")

Message = dict[str, object]


@dataclass(frozen=True)
class Segment:
    """A text to speak in one go: its audio sent whole (mode "batch") or as it is made ("stream")."""

    text: str
    mode: str


class Stream(ABC):
    """From `init` to `done`: texts go in, segments to speak come out, their audio is counted."""

    set_up_s: ClassVar[float]
    """Seconds between `init` and `stream_created`."""
    only_one: ClassVar[bool]
    """Whether a connection has one stream only: a second `init` is ignored, and both end together."""

    def __init__(self, init: Init, sample_rate: int) -> None:
        self.init = init
        self.closed = False
        self.is_open = False
        self._sample_rate = sample_rate
        self._segments = 0
        self._segment_bytes = 0
        self._total_bytes = 0

    def created(self) -> Message:
        """Open the stream: from now on it has segments."""
        self.is_open = True
        return {"type": "stream_created", "stream_id": uuid4().hex}

    @abstractmethod
    def add(self, text: Text) -> None:
        """Take a text. Raises BadRequestError."""

    def close(self) -> None:
        """Take no more text; `done` comes when everything is spoken."""
        self.closed = True

    @abstractmethod
    def cancel(self) -> None:
        """Forget every text that was not spoken yet, even in part."""

    def next_segment(self) -> Segment | None:
        """Return what to speak now, if anything. A voice that does not exist is created, and then silent."""
        if not self.is_open or self.init.voice not in VOICES:
            return None
        self._segment_bytes = 0
        return self._take()

    @abstractmethod
    def _take(self) -> Segment | None: ...

    def sent(self, audio_bytes: int) -> None:
        """Count audio of the segment that is being spoken."""
        self._segment_bytes += audio_bytes
        self._total_bytes += audio_bytes

    def spoken(self) -> list[Message]:
        """End the segment that was being spoken."""
        self._segments += 1
        return []

    def done(self) -> Message | None:
        """Return the stream's last message, if that is due. To be asked when there is no next segment."""
        if not self.closed or self.init.voice not in VOICES:
            return None
        total_ms = self._milliseconds(self._total_bytes)
        return {"type": "done", "total_audio_ms": total_ms, "segments_generated": self._segments}

    def _milliseconds(self, audio_bytes: int) -> int:
        return round(audio_bytes * 1000 / (BYTES_PER_SAMPLE * self._sample_rate))


class NewerStream(Stream):
    """Every text is one segment, and each segment's end is marked."""

    set_up_s = 0.0
    only_one = False

    def __init__(self, init: Init, sample_rate: int) -> None:
        super().__init__(init, sample_rate)
        self._waiting: deque[Segment] = deque()

    def add(self, text: Text) -> None:
        mode = text.mode or self.init.default_mode
        if mode not in MODES:
            raise BadRequestError(f"unknown mode: {mode!r:.40}; there are {', '.join(MODES)}")
        if text.text.strip() and not self.closed:
            self._waiting.append(Segment(text.text, mode))

    def cancel(self) -> None:
        self._waiting.clear()

    def _take(self) -> Segment | None:
        return self._waiting.popleft() if self._waiting else None

    def spoken(self) -> list[Message]:
        super().spoken()
        audio_ms = self._milliseconds(self._segment_bytes)
        return [{"type": "segment_complete", "segment": self._segments, "audio_ms": audio_ms}]


class OlderStream(Stream):
    """Texts gather, joined with nothing between them, until their estimated audio reaches `target_audio_ms`."""

    set_up_s = 0.02
    only_one = True

    def __init__(self, init: Init, sample_rate: int, target_audio_ms: float) -> None:
        super().__init__(init, sample_rate)
        self._target_audio_ms = target_audio_ms
        self._buffer = ""

    def add(self, text: Text) -> None:
        if not self.closed:
            self._buffer += text.text

    def close(self) -> None:
        """Lose a close that comes before the stream is created, as the real ones do."""
        self.closed = self.is_open

    def cancel(self) -> None:
        self._buffer = ""

    def _take(self) -> Segment | None:
        words = len(self._buffer.split())
        enough = words * MS_PER_WORD >= self._target_audio_ms
        if not words or not (enough or self.closed):
            return None
        text, self._buffer = self._buffer, ""
        return Segment(text, "batch")
