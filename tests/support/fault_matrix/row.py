"""What a row of the fault matrix says."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from probe.reference.faults import LlmScript, ScriptedHttp, ScriptedLlm, ScriptedTts, TtsScript, TtsTurn, llm
from probe.reference.faults.connection import Steps

# Every deadline that a row does not run into only bounds a hang: no machine is so slow that it passes.
PATIENT = {
    "connect_s": 30.0, "stt_s": 30.0, "llm_s": 30.0, "tts_s": 30.0, "run_s": 50.0, "release_s": 3.0, "hold_s": 5.0,
}  # fmt: skip
# The deadlines that end a silence, by the stage of the failure: these a row waits out, and so they are short.
SILENCES = ("timeout", "never_ended", "no_audio", "no_stream", "unknown_voice")
WAITED_OUT = {
    "connect": {"connect_s": 0.5},
    "stt": {"stt_s": 0.5},
    "llm": {"llm_s": 0.5},
    "tts": {"tts_s": 0.5, "hold_s": 0.3},
}

# Which measures exist, by what was reached: each of these has those of the ones before it.
Reached = Literal["nothing", "first token", "text", "silent audio", "audio", "segment", "second segment"]

# What it is that goes wrong.
Where = Literal[
    "LLM", "TTS", "LLM over HTTP", "LLM, Ollama", "TTS over HTTP", "TTS, Wyoming", "TTS, Riva",
    "TTS, NIM over HTTP", "TTS, vLLM-Omni", "TTS, NIM", "STT, Wyoming", "STT over HTTP", "STT, Riva", "agent", "probe",
]  # fmt: skip

_TOKEN = {"llm_ttft_ms", "llm_ttfat_ms"}
_TEXT = _TOKEN | {"llm_gen_time_ms", "tts_wait_ms", "probe_delay_ms"}
_SILENCE = _TEXT | {
    "tts_ttfb_ms", "tts_stream_time_ms", "combined_ttfb_ms", "audio_duration_ms", "underrun_ms", "realtime_factor",
}  # fmt: skip
_AUDIO = _SILENCE | {"leading_silence_ms", "combined_ttfa_ms"}
_SEGMENT = _AUDIO | {"tts_gen_time_ms"}
MEASURES: Mapping[Reached, frozenset[str]] = {
    "nothing": frozenset(),
    "first token": frozenset(_TOKEN),
    "text": frozenset(_TEXT),
    "silent audio": frozenset(_SILENCE),
    "audio": frozenset(_AUDIO),
    "segment": frozenset(_SEGMENT),
    "second segment": frozenset(_SEGMENT | {"playout_gap_ms"}),
}
# The same of an agent, which is handed no text; its one segment is complete with the answer.
_UNSEEN = {"tts_wait_ms", "probe_delay_ms", "tts_stream_time_ms", "realtime_factor", "tts_gen_time_ms"}
_UNFINISHED = _UNSEEN | {"llm_gen_time_ms"}
OF_AGENT: Mapping[Reached, frozenset[str]] = {
    "nothing": frozenset(),
    "first token": frozenset(_TOKEN),
    "text": frozenset(_TEXT - _UNSEEN),
    "silent audio": frozenset(_SILENCE - _UNFINISHED),
    "audio": frozenset(_AUDIO - _UNFINISHED),
    "segment": frozenset(_SEGMENT - _UNSEEN),
}


# Of these an answer that comes without a request has none.
_OF_A_REQUEST = frozenset(("llm_ttft_ms", "llm_ttfat_ms", "llm_gen_time_ms", "combined_ttfb_ms", "combined_ttfa_ms"))


@dataclass
class Stage:
    """Where a row is played: what a sabotage can get at."""

    llm: ScriptedLlm
    tts: ScriptedTts
    folder: Path
    stop: asyncio.Event
    http: list[ScriptedHttp] = field(default_factory=list)


# Instead of the scripted server's own.
Url = Callable[[Stage], AbstractAsyncContextManager[str]]
Sabotage = Callable[[Stage], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One fault: what is injected, and the required result.

    stage, or_stage: where the failure is; the second where it depends on which server was waited for at a deadline.
    longest_s: on a machine that has time, the release of the slot included. say: words of the failure, the doubt
    or the skip, which are ours. said: words of the server, which the record keeps apart. without: measures that do not
    exist in spite of what was reached. at_least: what a measure must be in every chunk that has it, in milliseconds.
    limits: the deadlines that are not those of `PATIENT` and `WAITED_OUT`.
    """

    name: str
    injected: str
    where: Where
    outcome: Literal["ok", "failed", "suspect", "skipped"] = "failed"
    stage: Literal["connect", "stt", "llm", "tts", "audio", "internal", ""] = ""
    or_stage: Literal["tts", ""] = ""
    reason: str = ""
    reached: Reached
    without: tuple[str, ...] = ()
    at_least: Mapping[str, float] = field(default_factory=dict)
    longest_s: float = 2.0
    say: str = ""
    said: str = ""
    slot_kept: bool = False  # by a server that does not do what it is asked for
    llm: LlmScript = field(default_factory=LlmScript)
    tts: TtsScript = field(default_factory=TtsScript)
    llm_url: Url | None = None
    tts_url: Url | None = None
    agent_url: Url | None = None
    # Of a target that hears, and the recording that is played to it: what is in the file; None: the target's own TTS
    # server speaks.
    stt_url: Url | None = None
    recording: bytes | None = b""
    # Of an agent that hears: who finds the end of the speech.
    endpointing: Literal["server", "probe", ""] = ""
    asked: str = "Where does Quartermaine live?"
    collector: Url | None = None
    sabotage: Sabotage | None = None
    # Called with the state directory before the daemon is there.
    before: Callable[[Path], None] | None = None
    limits: Mapping[str, float] = field(default_factory=dict)
    settings: str = ""
    target: str = ""
    turns: int = 1

    @property
    def measures(self) -> frozenset[str]:
        known = OF_AGENT if self.where == "agent" else MEASURES
        by_itself = _OF_A_REQUEST if self.endpointing == "server" else frozenset()
        return known[self.reached] - by_itself - set(self.without)

    @property
    def deadlines(self) -> Mapping[str, float]:
        """All limits of the target."""
        waited_out = WAITED_OUT[self.stage] if self.reason in SILENCES else {}
        found = PATIENT | waited_out | dict(self.limits)
        # Of the protocol that may hold a text back.
        return {name: value for name, value in found.items() if name != "hold_s" or self._with_magpie}

    @property
    def _with_magpie(self) -> bool:
        return self.where in ("LLM", "TTS", "LLM, Ollama", "probe")


def llm_says(*chunks: Steps, **script: Any) -> LlmScript:
    """An LLM server that gives these chunks, whatever they are."""
    return LlmScript(turns=(chunks,), **script)


def tts_says(*segments: Steps, generation: Any = "newer", **turn: Any) -> TtsScript:
    """A TTS server that gives these segments."""
    given: dict[str, Any] = {"segments": segments} if segments else {}
    return TtsScript(generation=generation, turns=(TtsTurn(**given, **turn),))


ONE_CHUNK = llm_says(llm.last_chunk(" Hello", " there."))
