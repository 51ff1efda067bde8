"""What happened in a run (RunRecord), and how it is kept as JSON. Frozen; standard library only.

Every timestamp is an integer of nanoseconds since the epoch on one monotonic timeline (see `clock.py`): differences are
exact, and a step of the wall clock during a run moves none of them. What did not happen is None, never 0.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

from probe.heard import Heard, Interruption
from probe.legacy import record_as_today
from probe.machine.state import MachineState
from probe.plan import Plan, Role
from probe.server_state import ServerFigures
from probe.transcription import Transcription
from probe.typed_json import plain, typed

Stage = Literal["connect", "stt", "llm", "tts", "audio", "internal"]
Outcome = Literal["ok", "slow", "failed", "skipped", "suspect"]
# How we knew that a segment was over: the server's marker, the end of a response's body, a gap, the end of the stream;
# `merged`: its text was kept by the server and is heard with the next one.
SegmentEnd = Literal["marker", "end", "gap", "done", "merged"]

# The closed list of why a run failed, by stage. Metrics have a series for each, from the start.
REASONS: dict[Stage, tuple[str, ...]] = {
    "connect": (
        "dns", "refused", "timeout", "tls", "not_websocket", "closed", "unreachable",
        "unauthorized", "not_found", "loading", "unavailable", "server_error",
    ),
    "stt": (
        "timeout", "closed", "malformed", "server_error", "never_ended", "ended_early", "no_transcript",
        "not_understood", "false_trigger", "audio_refused", "not_interrupted", "flood", "run_deadline", "unauthorized",
        "not_found", "loading", "unavailable",
    ),
    "llm": (
        "timeout", "closed", "malformed", "server_error", "connection_error", "empty_response", "no_progress", "flood",
        "run_deadline", "unauthorized", "not_found", "loading", "unavailable", "no_answer",
    ),
    "tts": (
        "timeout", "closed", "malformed", "server_error", "no_stream", "no_audio", "unknown_voice", "ended_early",
        "flood", "run_deadline", "unauthorized", "not_found", "loading", "unavailable", "wrong_format",
    ),
    "audio": ("missing", "silent", "noise", "odd_bytes", "hum", "clicks", "text", "too_short", "too_long"),
    "internal": ("error", "user_audio"),
}  # fmt: skip
# Why a run that its operator stopped was skipped: no server failed, and nothing was found out.
INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run ended early: a stage, a reason from REASONS, and a sentence for a person, in our words.

    What a server said of it is in the record's `said`. `server` is the one that did not do its part; None where that
    was us.
    """

    stage: Stage
    reason: str
    detail: str
    at: int
    turn_num: int | None = None
    chunk_num: int | None = None
    server: Role | None = None


@dataclass(frozen=True, slots=True)
class Connect:
    """One attempt to open a connection; `end` is None where it did not open."""

    server: Role
    start: int
    end: int | None


@dataclass(frozen=True, slots=True)
class AudioAnalysis:
    """What a segment's samples say. Levels are shares of full scale (32768)."""

    samples: int
    first_audible: int | None
    rms: float
    peak: float
    # Correlation of each sample with the next: speech is near 1, white noise near 0. None where there is no signal.
    correlation: float | None
    # Share of the samples that are not small and whose low byte is all ones: the torn-off sign of a neighbour.
    torn: float = 0.0
    # How far the samples swing to either side of their middle. An offset moves no loudspeaker.
    swing: float = 1.0
    # From the first to the last that is within 30 dB of the loudest: how long, and how far its level moves (from the
    # 10th to the 90th percentile, over 30 ms at a time). Speech moves by more than 3 dB, hiss and hum by 2 at most.
    loud_ms: float | None = None
    wobble_db: float | None = None
    # The middle of its spectrum: of hum at most 180 Hz.
    centre_hz: float | None = None
    # How alike are the steps from even samples to odd ones and from odd to even; how alike the power of even and odd
    # ones. Both are near 1, unless two channels, or samples of 32 bits, are read as one of 16.
    pairing: float | None = None
    evenness: float | None = None
    # Share of the samples that are as far out as any of a loud segment: of a voice that was turned up too far.
    clipped: float = 0.0


@dataclass(frozen=True, slots=True)
class Chunk:
    """One piece of an answer that is handed to TTS as a unit, and the segment of audio made from it.

    `inference_start` is None where the chunk needed no request of its own: the server went on by itself. Of an agent,
    which cuts and speaks its answer itself, a whole answer is one chunk: `tts_text_sent` is None, and the text, as far
    as the agent shows it, is done with its last piece.
    """

    chunk_num: int
    inference_start: int | None
    text: str = ""
    token_count: int = 0
    stop_reason: str | None = None
    # Whether the LLM said that the response ends with this chunk.
    final: bool = False
    server_ttft_ms: float | None = None
    llm_first_token: int | None = None
    # The first token of text that will be spoken; later than the first where the model reasons before it answers.
    llm_first_answer_token: int | None = None
    llm_last_token: int | None = None
    # The longest wait between two tokens of one request, in nanoseconds; None with fewer than two.
    llm_longest_stall: int | None = None
    llm_done: int | None = None
    tts_text_sent: int | None = None
    # Whether the text was handed over piece by piece as the LLM wrote it: then that is the moment of the first piece,
    # and the server itself cut the text.
    text_streamed: bool = False
    tts_first_audio: int | None = None
    tts_last_audio: int | None = None
    tts_segment_done: int | None = None
    segment_end: SegmentEnd | None = None
    # Of the audio, in Hz; None where there was none.
    sample_rate: int | None = None
    audio_bytes: int = 0
    # Audio that came after we had taken the segment for finished.
    late_audio_bytes: int = 0
    # (arrival, bytes) of each audio frame: the playout clock needs them one by one.
    frames: tuple[tuple[int, int], ...] = ()
    sound: AudioAnalysis | None = None
    # The names of its measures that may be wrong by more than the published error: they are left out.
    unknown: tuple[str, ...] = ()
    # Kept for the sinks that want to listen; not part of the record's JSON.
    pcm: bytes | bytearray = field(default=b"", repr=False, compare=False, metadata={"json": False})

    @property
    def began(self) -> int:
        """The first time of this chunk: its request, or its first event without one."""
        known = (self.inference_start, self.llm_first_token, self.llm_done, self.tts_text_sent, self.tts_first_audio)
        return next((at for at in known if at is not None), 0)

    @property
    def tts_began(self) -> int | None:
        """Since when its sound was waited for: its text was sent. An agent has the text itself: its first words came.

        None where nobody knows of any, or the sound was there first.
        """
        words, sound = self.llm_first_answer_token, self.tts_first_audio
        if self.tts_text_sent is not None or words is None or sound is None:
            return self.tts_text_sent
        return words if words <= sound else None


@dataclass(frozen=True, slots=True)
class Turn:
    """One LLM response, and the speech that it answers where the target hears."""

    turn_num: int
    user: str
    chunks: tuple[Chunk, ...]
    # The moment the TTS server said that its stream was over.
    done: int | None = None
    # Audio that belongs to no chunk: before the turn's first text, or after the stream was done.
    stray_audio_bytes: int = 0
    # The model that answered, as the LLM server names it; it may be another than the one that was asked for.
    model: str | None = None
    # How many tokens the LLM server counted in the whole answer, reasoning included.
    usage_tokens: int | None = None
    # How long its work took as the LLM server itself measured it: milliseconds, by its own names.
    server_times: Mapping[str, float] = field(default_factory=dict)
    # As of a chunk.
    unknown: tuple[str, ...] = ()
    # Of its prompt, as the LLM server counted: how many tokens, and how many of them it had read before.
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    # From the start of its work to its first token, as the LLM server measured it.
    server_ttft_ms: float | None = None
    heard: Heard | None = None
    # Where a person spoke into the answer.
    interruption: Interruption | None = None

    @property
    def answered(self) -> bool:
        """Whether anything of an answer came."""
        return any(chunk.frames or chunk.llm_first_token is not None for chunk in self.chunks)

    def spoken(self) -> Iterator[tuple[Chunk, str]]:
        """The chunks that should have been heard, each with its text and the one before it that was kept for it.

        An answer that was handed over as it came is heard as one, whatever the LLM server made of it.
        """
        if self.chunks and self.chunks[0].text_streamed:
            yield self.chunks[0], "".join(chunk.text for chunk in self.chunks)
            return
        kept = ""
        for chunk in self.chunks:
            if chunk.segment_end == "merged":
                kept += chunk.text
            else:
                yield chunk, kept + chunk.text
                kept = ""


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """What a server said that it runs: the model's name and the build of what runs it. None where it did not say."""

    model: str | None = None
    build: str | None = None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One finished run, whole or partial."""

    plan: Plan
    started: int
    ended: int
    connects: tuple[Connect, ...] = ()
    turns: tuple[Turn, ...] = ()
    failure: Failure | None = None
    # Why the run was given up: users hold the server, the run before it still goes on, or its operator stopped it
    # (INTERRUPTED).
    skipped: str | None = None
    # Reasons to distrust our own measurement, for a person to read.
    doubts: tuple[str, ...] = ()
    # What servers said beside their answers, in their own words: these may quote what was asked or answered. Only the
    # history and what shows a run to its owner read them; failures, doubts and `skipped` have none of them.
    said: tuple[str, ...] = ()
    served: ServerIdentity = ServerIdentity()
    # Whether a server had to load its model for this run; None where nobody knows.
    cold: bool | None = None
    # Reads whose arrival the kernel did not stamp: what they brought has the time of the reading.
    unstamped: int = 0
    # What the machine was like meanwhile; None where it was not read.
    machine: MachineState | None = None
    # What each server reported of itself; those that report nothing are left out.
    reported: Mapping[Role, ServerFigures] = field(default_factory=dict)
    # What a recogniser understood of its answer, afterwards; None where none was asked, or has not answered yet.
    transcription: Transcription | None = None

    def to_json(self) -> str:
        """Return the record as one JSON document that `from_json` reads back, equal except for the PCM."""
        return json.dumps(plain(self), separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote. Raises ValueError where the text is not a record."""
        try:
            record: Self = typed(cls, record_as_today(json.loads(text)))
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            raise ValueError(f"not a run record: {error}") from error
        return record
