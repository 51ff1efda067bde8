"""What a run that is still going waits for: for how long so far, and for how long at most."""

import operator
from collections.abc import Mapping
from dataclasses import dataclass

from probe.plan import Limits, Plan
from probe.progress import Event, EventKind
from probe.record import Chunk
from probe.timestamps import NS_PER_S

# What has not lasted so long is none that anyone asks about.
WORTH_SAYING_S = 0.5
# Until there is one, no side of the run waits for anything.
_CONNECTION = "connection"
_FRAMES: Mapping[EventKind, str] = {"llm_token": "llm", "tts_audio": "tts"}


@dataclass(frozen=True, slots=True)
class Wait:
    """What for, since when (epoch nanoseconds), and when the run gives up; None where that is nowhere laid down."""

    what: str
    since: int
    limit_s: float | None


class Waiting:
    """Give it every event of a run. Each side's wait is a value that is replaced: another thread may read meanwhile."""

    def __init__(self, plan: Plan, now: int) -> None:
        self._limits: Limits = plan.target.limits
        # When each side last sent a frame.
        self._heard: dict[str, int] = {}
        # The chunk with which the answer ends, once that is known.
        self._last: int | None = None
        self._waits: dict[str, Wait] = {_CONNECTION: Wait("what the servers say of themselves", now, None)}

    def note(self, event: Event) -> None:
        """Take what just happened."""
        side = _FRAMES.get(event.kind)
        if side is not None:
            # Nothing more: this is done for every token, within the run.
            self._heard[side] = event.at
        elif event.kind == "connecting":
            what = f"the connection to the {event.text} server"
            self._waits = {**self._waits, _CONNECTION: Wait(what, event.at, self._limits.connect_s)}
        elif event.kind == "connected":
            self._no_more(_CONNECTION)
            if event.turn_num == 0 and event.text.startswith("TTS"):
                self._for_tts("the TTS server to be ready", event.at)
        elif event.kind in ("speech_start", "speech_end", "speech_stopped", "transcript"):
            self._of_stt(event)
        elif event.kind == "turn_done":
            self._waits, self._last = {}, None
        elif event.chunk is not None:
            self._of_llm(event, event.chunk)
            self._of_tts(event, event.chunk.chunk_num)

    def text(self, now: int) -> str | None:
        """The longest wait, such as "waiting for the first audio of chunk 2: 3.2 s of 10 s"; None without one."""
        waits = [(max(wait.since, self._heard.get(side, 0)), wait) for side, wait in self._waits.items()]
        since, longest = min(waits, key=operator.itemgetter(0), default=(now, None))
        if longest is None or now - since < WORTH_SAYING_S * NS_PER_S:
            return None
        limit = "" if longest.limit_s is None else f" of {longest.limit_s:g} s"
        return f"waiting for {longest.what}: {(now - since) / NS_PER_S:.1f} s{limit}"

    def _of_stt(self, event: Event) -> None:
        match event.kind:
            case "speech_end":
                self._for_stt("the transcript, or the server to find the end of the speech", event.at)
            case "speech_stopped":
                self._for_stt("the transcript", event.at)
            case _:
                self._waits = {}

    def _for_stt(self, what: str, at: int) -> None:
        self._waits = {**self._waits, "stt": Wait(what, at, self._limits.stt_s)}

    def _of_llm(self, event: Event, chunk: Chunk) -> None:
        number = chunk.chunk_num
        match event.kind:
            case "llm_start":
                if number == 1:
                    # Both are ready.
                    self._waits = {}
                self._for_llm(f"the first token of chunk {number}", event.at)
            case "llm_first_token":
                self._for_llm(f"the end of chunk {number}", event.at)
            case "llm_chunk_end" | "llm_cut" if chunk.final:
                self._last = number
                self._no_more("llm")
            case "llm_cut":
                self._for_llm(f"the first token of chunk {number + 1}", event.at)
            case "llm_chunk_end":
                self._no_more("llm")

    def _of_tts(self, event: Event, number: int) -> None:
        match event.kind:
            case "tts_text":
                self._for_tts(f"the first audio of chunk {number}", event.at)
            case "tts_first_audio":
                self._for_tts(f"the end of the audio of chunk {number}", event.at)
            case "tts_segment_end" if number == self._last:
                self._for_tts("the TTS server to end its stream", event.at)
            case "tts_segment_end" | "tts_held":
                self._no_more("tts")

    def _for_llm(self, what: str, at: int) -> None:
        self._waits = {**self._waits, "llm": Wait(what, at, self._limits.llm_s)}

    def _for_tts(self, what: str, at: int) -> None:
        self._waits = {**self._waits, "tts": Wait(what, at, self._limits.tts_s)}

    def _no_more(self, side: str) -> None:
        self._waits = {name: wait for name, wait in self._waits.items() if name != side}
