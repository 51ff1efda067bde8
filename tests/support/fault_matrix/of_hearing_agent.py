"""Faults of an agent that hears, behind OpenAI Realtime."""

from typing import Any

from fault_matrix.of_agent import serving
from fault_matrix.of_stt import HESITANT, SPEECH
from fault_matrix.row import Row
from probe.reference.faults import Drop, Stall, Text, Wait
from probe.reference.faults.connection import Steps
from probe.reference.faults.realtime import (
    COMMITTED,
    CREATED,
    GA_SESSION,
    STARTED,
    STOPPED,
    RealtimeScript,
    answer,
    error,
    session,
    transcript,
    untranscribed,
)

TEXT = "Where does Quartermaine live?"
SAID = transcript(TEXT)
HEARS: Steps = (STOPPED, COMMITTED)
TRANSCRIBES = 'agent.transcription_model = "whisper"'
JUDGED = 'objective_measure = "voice_to_voice"'
WRONG = {"type": "invalid_request_error"}


def _row(name: str, injected: str, reason: str, /, *, target: str = "", **parts: Any) -> Row:
    of_script = {key: parts.pop(key) for key in [*parts] if key in RealtimeScript.__dataclass_fields__}
    values: dict[str, Any] = {
        "where": "agent", "stage": "stt", "reached": "nothing", "recording": SPEECH, "endpointing": "server",
        "longest_s": 3.0, "agent_url": serving(RealtimeScript(**({"silence_ms": 100.0} | of_script))),
    }  # fmt: skip
    measure = JUDGED if parts.get("endpointing", "server") == "server" else ""
    # A target's own keys come before the tables of its servers.
    return Row(
        name=f"agent-hears-{name}", injected=injected, reason=reason, target=f"{target}\n{measure}", **(values | parts)
    )


def _manual(name: str, injected: str, reason: str, /, **parts: Any) -> Row:
    """Where the probe says when the speech is over."""
    return _row(f"manual-{name}", injected, reason, **({"endpointing": "probe", "silence_ms": None} | parts))


def _harmless(name: str, injected: str, /, **parts: Any) -> Row:
    return _row(name, injected, "", **({"outcome": "ok", "stage": "", "reached": "segment"} | parts))


ROWS = (
    _harmless("answered", "nothing: it finds the end itself, and answers"),
    _harmless("transcribed", "nothing: it transcribes while it answers",
              on_silence=HEARS, answers=((*answer(), Wait(0.1), SAID),), target=TRANSCRIBES),
    _harmless("two-turns", "nothing, twice on one connection", turns=2, longest_s=5.0,
              on_silence=(*HEARS, SAID), target=TRANSCRIBES),
    _harmless("unannounced", "no word of the end of the speech: it just answers", on_silence=()),
    _harmless("late-end", "it answers first, and says then that the speech is over", on_silence=(),
              answers=((CREATED, STOPPED, COMMITTED, *answer()[1:], SAID),), target=TRANSCRIBES),
    _harmless("unasked-transcript", "a transcript that nobody asked for", on_silence=(*HEARS, SAID)),
    _harmless("untranscribed-unasked", "a session without transcription", on_silence=(STOPPED,)),
    _harmless("manual", "nothing: the probe ends the speech", endpointing="probe", silence_ms=None),
    _harmless("manual-transcribed", "nothing: it transcribes after its answer", endpointing="probe", silence_ms=None,
              answers=((*answer(), SAID),), target=TRANSCRIBES),
    _row("never-ended", "it never finds the end of the speech", "never_ended", silence_ms=None,
         say="did not find the end of the speech"),
    _row("ended-early", "it finds the end of the speech in a pause of a person who thinks", "ended_early",
         recording=HESITANT, say="took the speech for finished"),
    _row("answers-early", "it answers in a pause, without a word of the end", "ended_early", on_silence=(),
         recording=HESITANT, say="answered the speech before it was over, "),
    _row("first-words", "a transcript that has only the first words", "ended_early",
         on_silence=(*HEARS, transcript("Where does")), answers=((Stall(),),), target=TRANSCRIBES,
         say="the last 2 are missing"),
    _row("noise", "it finds the end of a speech in the silence before it", "false_trigger",
         on_append=(STARTED, STOPPED, COMMITTED, CREATED), say="before it had begun"),
    _row("answers-noise", "it answers before anything was said", "false_trigger", on_append=(CREATED,),
         say="before it had begun"),
    _row("no-transcript", "no transcript, though one was asked for", "no_transcript", target=TRANSCRIBES,
         say="sent no transcript", limits={"stt_s": 0.5}, reached="segment"),
    _row("failed-transcript", "it could not transcribe", "no_transcript",
         on_silence=(*HEARS, untranscribed("CUDA is gone")),
         answers=((Stall(),),), target=TRANSCRIBES, say="could not transcribe", said="CUDA is gone"),
    _row("empty-transcript", "an empty transcript", "no_transcript", on_silence=(*HEARS, transcript(" ")),
         answers=((Stall(),),), target=TRANSCRIBES, say="understood nothing"),
    _row("another-language", "a transcript without a word of what was said", "not_understood",
         on_silence=(*HEARS, transcript("Wo wohnt er denn nun?")), answers=((Stall(),),), target=TRANSCRIBES,
         say="none of the 4 words"),
    _row("no-text", "a transcript without a text", "malformed", on_speech=(transcript(7),), target=TRANSCRIBES,
         say="without a text"),
    _row("drop", "closed while the speech is played", "closed", on_speech=(Drop(),), say="ended the connection"),
    _row("refused", "it takes no audio", "audio_refused",
         on_append=(error("unknown event: input_audio_buffer.append", "unknown_event", **WRONG),),
         say="does not take audio", said="unknown event: input_audio_buffer.append"),
    _row("error", "an error while it listens", "server_error", on_speech=(error("the recogniser died"),),
         say="reported an error", said="the recogniser died"),
    _row("garbage", "a message that is no JSON while it listens", "malformed", on_speech=(Text("hello"),),
         say="not JSON", said="hello"),
    _row("another-rate", "a session that hears 8 kHz", "wrong_format", stage="tts",
         on_update=(session("updated", audio={**GA_SESSION["audio"],
                                              "input": {"format": {"type": "audio/pcm", "rate": 8000}}}),),
         say="hears another kind of audio"),
    _row("no-answer", "it heard all, and says nothing more", "timeout", stage="llm", answers=((Stall(),),),
         say="nothing from the agent server"),
    _manual("empty-buffer", "it says that it was sent no audio", "audio_refused",
          on_commit=(error("buffer too small", "input_audio_buffer_commit_empty", **WRONG),),
          answers=((Stall(),),), say="does not take audio", said="buffer too small"),
)  # fmt: skip
