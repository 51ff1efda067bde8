"""Records written out by hand, for the tests of what reads them."""

from dataclasses import replace
from typing import Any

from targets import with_server

from probe.config import ScenarioConfig, TargetConfig
from probe.heard import Heard, PlayedPause
from probe.machine.state import GpuProcess, GpuState, HostState, MachineState
from probe.plan import Plan, ServerPlan
from probe.record import AudioAnalysis, Chunk, Connect, Failure, RunRecord, Turn
from probe.transcription import AnswerTranscript, Mishap, Transcription

START = 1_700_000_000_000_000_000
MS = 1_000_000

PLAN = Plan(
    run_id="20231114T221320Z-000001",
    trace_id="0123456789abcdef0123456789abcdef",
    span_id="0123456789abcdef",
    target=TargetConfig.of(machine="none").record("local"),
    scenario=ScenarioConfig.of(system_prompt="Be brief.", user_turns=["Tell me a joke."]).record("default"),
)


def plan(number: int = 1, target: str = "local", scenario: str = "default") -> Plan:
    return replace(
        PLAN,
        run_id=f"20231114T221320Z-{number:06x}",
        trace_id=f"{number:032x}",
        span_id=f"{number:016x}",
        target=replace(PLAN.target, name=target),
        scenario=replace(PLAN.scenario, name=scenario),
    )


def chunk(chunk_num: int, start: int, ttfb_ms: int = 300, **changes: Any) -> Chunk:
    """A chunk whose first audio comes `ttfb_ms` after `start`, 100 ms of it LLM; one second of audio in two frames."""
    first_audio = start + ttfb_ms * MS
    values: dict[str, Any] = {
        "chunk_num": chunk_num,
        "inference_start": start,
        "text": " Why did the unicorn" if chunk_num == 1 else " cross the road?",
        "token_count": 4,
        "stop_reason": "max_tokens" if chunk_num == 1 else "eos",
        "final": chunk_num > 1,
        "server_ttft_ms": 40.0,
        "llm_first_token": start + 50 * MS,
        "llm_done": start + 100 * MS,
        "tts_text_sent": start + 100 * MS,
        "tts_first_audio": first_audio,
        "tts_last_audio": first_audio + 20 * MS,
        "tts_segment_done": first_audio + 21 * MS,
        "segment_end": "marker",
        "sample_rate": 22_000,
        "audio_bytes": 44_000,
        "frames": ((first_audio, 22_000), (first_audio + 20 * MS, 22_000)),
        "sound": AudioAnalysis(22_000, 2_200, 0.2, 0.6, 0.98),
    }
    return Chunk(**(values | changes))


def record(
    number: int = 1, *, started: int = START, ttfb_ms: int = 300, target: str = "local", scenario: str = "default"
) -> RunRecord:
    """A complete run of one turn and two chunks."""
    asked = started + 10 * MS
    first = chunk(1, asked, ttfb_ms)
    second = chunk(2, first.tts_segment_done or 0, 400)
    turn = Turn(1, "Tell me a joke.", (first, second), done=(second.tts_segment_done or 0) + MS)
    connects = (Connect("llm", started, started + 3 * MS), Connect("tts", started + 3 * MS, started + 5 * MS))
    return RunRecord(plan(number, target, scenario), started, (turn.done or 0) + 2 * MS, connects, (turn,))


def hearing(number: int = 1, **heard: Any) -> RunRecord:
    """The same of a target that hears: the speech ends 900 ms before the start of `record`, and 110 before its request.

    `heard` are values of its `Heard` that are others.
    """
    whole = record(number)
    values: dict[str, Any] = {
        "speech_start": START - 2000 * MS, "speech_end": START - 900 * MS, "speech_stopped": START - 400 * MS,
        "transcript_done": START - 100 * MS, "transcript": "Tell me a choke", "said": "Tell me a joke.",
        "end_late_ns": 0, "longest_late_ns": MS,
    }  # fmt: skip
    options = {"model": "small", "endpointing": "server"}
    servers = {**whole.plan.target.servers, "stt": ServerPlan("wyoming", "tcp://localhost:10300", options)}
    plan = replace(whole.plan, target=replace(whole.plan.target, servers=servers))
    turn = replace(whole.turns[0], heard=Heard(**(values | heard)))
    return replace(whole, plan=plan, started=START - 2010 * MS, turns=(turn,))


TRANSCRIPT = "why did the popcorn cross the road"
UNDERSTOOD = Transcription(
    START + 2000 * MS,
    START + 3500 * MS,
    "wyoming",
    "tcp://localhost:10300",
    (AnswerTranscript(1, TRANSCRIPT, words=7, errors=1),),
)
NOT_UNDERSTOOD = replace(
    UNDERSTOOD,
    turns=(),
    mishap=Mishap("stt", "server_error", "STT server: it reports an error"),
    said=("STT server: the popcorn is too loud",),
)


def misheard(number: int = 1) -> RunRecord:
    """The STT server did not find the end of the speech: nothing was asked."""
    whole = hearing(number, speech_stopped=None, transcript_done=None, transcript="")
    turn = replace(whole.turns[0], chunks=(), done=None)
    detail = "the STT server did not find the end of the speech within 10 s of silence"
    failure = Failure("stt", "never_ended", detail, START + 9100 * MS, 1, None, "stt")
    return replace(whole, turns=(turn,), failure=failure, ended=failure.at)


def cut_off(number: int = 1) -> RunRecord:
    """The STT server took a pause of 800 ms for the end of the speech, 1240 ms after the voice began."""
    voice, stopped = START - 1900 * MS, START - 660 * MS
    pause = PlayedPause(stopped - 510 * MS, stopped + 290 * MS, 2)
    whole = hearing(
        number, speech_end=None, speech_stopped=stopped, transcript_done=None, transcript="", voice_start=voice,
        pauses=(pause,),
    )  # fmt: skip
    turn = replace(whole.turns[0], chunks=(), done=None)
    detail = (
        "the STT server took the speech for finished before it was over, 1240 ms after it began, 510 ms into a pause"
        " of 800 ms"
    )
    failure = Failure("stt", "ended_early", detail, stopped + MS, 1, None, "stt")
    return replace(whole, turns=(turn,), failure=failure, ended=failure.at)


def failed(number: int = 1, *, target: str = "local", started: int = START) -> RunRecord:
    """The TTS server has died over the second chunk."""
    whole = record(number, target=target, started=started)
    first, second = whole.turns[0].chunks
    cut = Chunk(
        chunk_num=2,
        inference_start=second.inference_start,
        text=second.text,
        token_count=4,
        stop_reason="eos",
        final=True,
        llm_first_token=second.llm_first_token,
        llm_done=second.llm_done,
        tts_text_sent=second.tts_text_sent,
    )
    at = (cut.tts_text_sent or 0) + 10_000 * MS
    detail = f"no audio for a text of {len(cut.text.strip())} characters: nothing for 10 s"
    failure = Failure("tts", "no_audio", detail, at, 1, 2, "tts")
    turn = replace(whole.turns[0], chunks=(first, cut), done=None)
    said = (f"TTS server: can't say {cut.text.strip()!r}",)
    return replace(whole, turns=(turn,), failure=failure, ended=at, said=said)


def refused(number: int = 1, *, target: str = "local") -> RunRecord:
    """The LLM server is not there, at an address that holds a password."""
    planned = plan(number, target)
    planned = replace(
        planned, target=with_server(planned.target, "llm", url="ws://me:hunter2@spark:8002/ws?key=hunter3")
    )
    end = START + 2 * MS
    detail = "ws://me:hunter2@spark:8002/ws?key=hunter3: connection refused; is the server running?"
    failure = Failure("connect", "refused", detail, end, server="llm")
    return RunRecord(planned, START, end, (Connect("llm", START, None),), (), failure)


def skipped(number: int = 1) -> RunRecord:
    said = ("LLM server: No slots available (max 1)",)
    return RunRecord(plan(number), START, START + 5 * MS, skipped="all its slots are taken", said=said)


def suspect(number: int = 1) -> RunRecord:
    return replace(record(number), doubts=("the event loop was late by 31 ms",))


def free_running(number: int = 1, *, target: str = "local") -> RunRecord:
    """The LLM reasons for 30 ms and streams three chunks of one request; the later two wait for the TTS server."""
    planned = plan(number, target)
    asked = START + 10 * MS
    first = chunk(
        1, asked, llm_first_answer_token=asked + 80 * MS, llm_last_token=asked + 100 * MS, llm_longest_stall=30 * MS,
        server_ttft_ms=None, stop_reason="sentence_boundary",
    )  # fmt: skip
    later = [
        _unasked(number, asked, done_ms=done_ms, sent_ms=sent_ms)
        for number, done_ms, sent_ms in ((2, 180, 322), (3, 350, 420))
    ]
    turn = Turn(
        1, "Tell me a joke.", (first, *later), done=(later[-1].tts_segment_done or 0) + MS, usage_tokens=31,
        server_times={"prompt_ms": 41.0, "predicted_ms": 380.0},
    )  # fmt: skip
    servers = {**planned.target.servers, "llm": ServerPlan("openai", "http://localhost:8080/v1", {"model": "small"})}
    planned = replace(planned, target=replace(planned.target, servers=servers))
    return RunRecord(planned, START, (turn.done or 0) + 2 * MS, turns=(turn,), cold=False)


def _unasked(chunk_num: int, asked: int, *, done_ms: int, sent_ms: int) -> Chunk:
    """A chunk that needed no request of its own; the TTS server takes 60 ms to its first byte."""
    sent = asked + sent_ms * MS
    first_audio = sent + 60 * MS
    return chunk(
        chunk_num, asked, inference_start=None, server_ttft_ms=None, final=chunk_num > 2,
        stop_reason="stop" if chunk_num > 2 else "sentence_boundary",
        llm_first_token=asked + (done_ms - 70) * MS, llm_first_answer_token=asked + (done_ms - 70) * MS,
        llm_last_token=asked + done_ms * MS, llm_longest_stall=(20 * chunk_num - 20) * MS,
        llm_done=asked + done_ms * MS, tts_text_sent=sent, tts_first_audio=first_audio,
        tts_last_audio=first_audio + 10 * MS, tts_segment_done=first_audio + 11 * MS,
        frames=((first_audio, 22_000), (first_audio + 10 * MS, 22_000)),
    )  # fmt: skip


def machine() -> MachineState:
    """A machine whose GPU draws all the power that it may."""
    host = HostState(
        cpu_mhz=3900.0, cpu_limit_mhz=3900.0, governor="performance", busy=0.31, steal=0.0, pressure_cpu=0.12,
        pressure_memory=0.0, pressure_io=0.0, load=6.5, memory_available_bytes=61 * 2**30, swap_used_bytes=0,
        temperature_c=71.0, kernel="6.14.0-1013-nvidia", boot_id="5c5b9b1e",
    )  # fmt: skip
    server = GpuProcess("llama-server", None, 100.0)
    gpu = GpuState("NVIDIA GPU", 812, 7000, ("power_cap",), 36.1, 61.0, 0.94, 0, 8 * 2**30, 16 * 2**30, (server,))
    return MachineState(host, (gpu,), "580.95.05")


def on_a_machine(number: int = 1, **changes: Any) -> RunRecord:
    return replace(record(number, **changes), machine=machine())
