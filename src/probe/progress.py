"""Events of a run in progress, for live output. Nothing is measured from them."""

from dataclasses import dataclass
from typing import Literal

from probe.record import Chunk

EventKind = Literal[
    "connecting", "connected", "llm_start", "llm_token", "llm_first_token", "llm_chunk_end", "llm_cut", "tts_text",
    "tts_audio", "tts_first_audio", "tts_late_audio", "tts_segment_end", "tts_held", "turn_done", "warning",
    "speech_start", "speech_end", "speech_stopped", "speech_stopped_late", "transcript", "interruption", "unreleased",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a run in progress, for live output. `chunk` is its state at that time."""

    at: int
    kind: EventKind
    turn_num: int
    chunk: Chunk | None = None
    text: str = ""
