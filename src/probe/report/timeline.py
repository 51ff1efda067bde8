"""The live timeline: one line per event of a run, as it happens."""

from collections.abc import Iterator, Mapping
from typing import Any

import click

from probe.measures import ChunkMeasures, measure_chunk, reasoned
from probe.plan import Pause, Plan, Target
from probe.progress import Event, EventKind
from probe.record import Chunk
from probe.report.format import counted, ms, shortened, wrapped_as_it_is
from probe.timestamps import local

# One event for each frame: only for those who want to see everything.
FRAMES: frozenset[EventKind] = frozenset(("llm_token", "tts_audio"))
_TEXT_WIDTH = 34
_BRANCH = "  └─ "
_REMARK = "   ·  "
# Under what stands behind the time.
_INDENT = " " * 19
_OF_SPEECH: Mapping[EventKind, str] = {
    "speech_start": "STT: playing",
    "speech_end": "End of the speech",
    "speech_stopped": "The server found the end of the speech",
    "speech_stopped_late": "Only now the server says that the speech is over",
    "transcript": "Understood:",
    "interruption": "The person speaks into the answer",
}
# A line and how it is styled.
_Line = tuple[str, Mapping[str, Any]]


def describe_pause(pause: Pause) -> str:
    if pause.sentence_boundary:
        return "sentence_boundary"
    return "to the end" if pause.max_tokens is None else f"max_tokens={pause.max_tokens}"


def lines(event: Event, plan: Plan, width: int) -> Iterator[str]:
    """The lines for an event; text that is wider than `width` continues in the next line."""
    for text, style in _lines(event, plan):
        for line in wrapped_as_it_is(text, width, _INDENT):
            yield click.style(line, **style) if style else line


def _lines(event: Event, plan: Plan) -> Iterator[_Line]:
    chunk = event.chunk
    if event.kind in FRAMES:
        yield f"{stamp(event.at)}{_REMARK}{event.text}", {"dim": True}
    elif chunk is not None:
        yield from _chunk_lines(event, chunk, plan)
    elif event.kind in _OF_SPEECH:
        yield from _speech_lines(event)
    elif event.kind == "connected":
        yield f"{stamp(event.at)} Connected: {event.text}", {}
    elif event.kind == "warning":
        yield f"{stamp(event.at)} Warning: {event.text}", {"fg": "yellow"}


def _speech_lines(event: Event) -> Iterator[_Line]:
    what = _OF_SPEECH[event.kind]
    if event.kind == "speech_start":
        yield "", {}
        yield f"{stamp(event.at)} {what}{_quoted(event.text)}", {"bold": True}
    else:
        yield f"{stamp(event.at)}{_BRANCH}{what}{_quoted(event.text)}", {}


def _quoted(text: str) -> str:
    return f' "{shortened(text, _TEXT_WIDTH)}"' if text else ""


def stamp(at: int) -> str:
    """Local time of day, to the millisecond."""
    moment = local(at)
    return f"[{moment:%H:%M:%S}.{moment.microsecond // 1000:03}]"


def _chunk_lines(event: Event, chunk: Chunk, plan: Plan) -> Iterator[_Line]:
    if event.kind.startswith("llm_"):
        yield from _llm_lines(event, chunk, plan)
    else:
        yield from _tts_lines(event, chunk, plan)


def _llm_lines(event: Event, chunk: Chunk, plan: Plan) -> Iterator[_Line]:
    at, number = stamp(event.at), chunk.chunk_num
    measured = measure_chunk(chunk)
    match event.kind:
        case "llm_start":
            pause = plan.scenario.first_pause if number == 1 else plan.scenario.next_pause
            action = "start" if number == 1 else "continue"
            asked = f"LLM #{number}: {action} ({describe_pause(pause)})"
            if "agent" in plan.target.servers:
                asked = "Agent: asked"
            turns = len(plan.scenario.user_turns)
            turn = f", turn {event.turn_num} of {turns}" if turns > 1 and number == 1 else ""
            yield "", {}
            yield f"{at} {asked}{turn}", {"bold": True}
        case "llm_first_token" if chunk.inference_start is not None:
            yield f"{at}{_BRANCH}First token (LLM TTFT: {ms(measured.llm_ttft_ms)})", {}
        case "llm_chunk_end" | "llm_cut":
            if chunk.llm_first_answer_token is not None and reasoned(measured):
                answer = stamp(chunk.llm_first_answer_token)
                yield f"{answer}{_BRANCH}First token of the answer (LLM TTFAT: {ms(measured.llm_ttfat_ms)})", {}
            yield f"{at}{_llm_end(event.kind, chunk, measured)}", {}


def _llm_end(kind: EventKind, chunk: Chunk, measured: ChunkMeasures) -> str:
    ending = "Done" if chunk.final else "Cut" if kind == "llm_cut" else "Paused"
    reason = f"{chunk.stop_reason}, " if chunk.stop_reason else ""
    what = f"{reason}{counted(chunk.token_count, 'token')}"
    if chunk.inference_start is None:
        # Nothing was asked for: it is a remark among the lines of whatever is being spoken meanwhile.
        return f"{_REMARK}LLM #{chunk.chunk_num}: {ending.lower()}: {what}"
    return f"{_BRANCH}{ending}: {what}, {ms(measured.llm_gen_time_ms)}"


def _tts_lines(event: Event, chunk: Chunk, plan: Plan) -> Iterator[_Line]:
    at, number = stamp(event.at), chunk.chunk_num
    measured = measure_chunk(chunk)
    match event.kind:
        case "tts_text":
            text, words = shortened(chunk.text, _TEXT_WIDTH), counted(len(chunk.text.split()), "word")
            sending = "Sending its text as it comes" if chunk.text_streamed else f'Sending "{text}" ({words})'
            yield f"{at} TTS #{number}: {sending}", {"bold": True}
        case "tts_first_audio":
            yield f"{at}{_BRANCH}First audio (TTS TTFB: {ms(measured.tts_ttfb_ms)})", {}
            if chunk.inference_start is not None:
                yield _combined(measured.combined_ttfb_ms, _objective_of_ttfb(plan.target) if number == 1 else None)
        case "tts_segment_end":
            duration = ms(measured.audio_duration_ms)
            took = ms(measured.tts_gen_time_ms)
            yield f"{at}{_BRANCH}Segment complete by {chunk.segment_end} ({took}, {duration} audio)", {}
        case "tts_held":
            yield f"{at}{_BRANCH}No audio: the server may keep this text until more comes", {}
        case "tts_late_audio":
            yield f"{at}{_BRANCH}Late audio for #{number}: it had seemed complete", {"fg": "yellow"}


def _objective_of_ttfb(target: Target) -> float | None:
    return target.objective_ms if target.objective_measure == "response_ttfb" else None


def _combined(combined_ttfb_ms: float | None, objective_ms: float | None) -> _Line:
    text = f"{'':14} ★ Combined TTFB: {ms(combined_ttfb_ms)}"
    if combined_ttfb_ms is None or objective_ms is None:
        return text, {}
    return text, {"fg": "green" if combined_ttfb_ms <= objective_ms else "red", "bold": True}
