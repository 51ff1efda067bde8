"""The attributes of each level of a run's spans. A missing value is no attribute."""

from collections.abc import Mapping
from dataclasses import asdict
from urllib.parse import urlsplit

from probe import whole_wait
from probe.heard import Heard
from probe.machine.state import GpuState, MachineState
from probe.measures import ChunkMeasures, TurnMeasures, outcome, runs_freely
from probe.outside import outside_ms
from probe.plan import Pause, ServerPlan, Target
from probe.record import Chunk, Connect, RunRecord, Turn
from probe.server_state import known
from probe.timestamps import milliseconds
from probe.tracing import genai
from probe.tracing.span import Value
from probe.transcription import Transcription
from probe.urls import without_secrets

_PORTS = {"ws": 80, "wss": 443, "http": 80, "https": 443}


def of_run(record: RunRecord) -> dict[str, Value]:
    """A run: what was measured, and how it ended."""
    plan, failure = record.plan, record.failure
    return _present(
        {
            "probe.run_id": plan.run_id,
            "probe.target": plan.target.name,
            "probe.scenario": plan.scenario.name,
            "probe.prompt_cache": plan.scenario.prompt_cache,
            "probe.objective_ms": plan.target.objective_ms,
            "probe.objective_measure": plan.target.objective_measure,
            "probe.outcome": outcome(record),
            "probe.cold": record.cold,
            "probe.skipped": None if record.skipped is None else without_secrets(record.skipped),
            "probe.doubts": record.doubts or None,
            "probe.failure.server": None if failure is None else failure.server,
            "probe.failure.stage": None if failure is None else failure.stage,
            **({} if record.machine is None else of_machine(record.machine)),
            **_of_servers(record),
        }
    )


def _of_servers(record: RunRecord) -> dict[str, Value | None]:
    """What the servers reported of themselves, by server."""
    return {
        f"probe.server.{role}.{name}": value
        for role, found in record.reported.items()
        for name, value in known(found).items()
    }


def of_machine(machine: MachineState) -> dict[str, Value | None]:
    """The machine during a run; of several GPUs the one that worked most."""
    host, gpu = machine.host, machine.gpu or GpuState()
    return {
        "probe.machine.name": machine.name,
        "probe.machine.silent": machine.silent or None,
        "probe.machine.load": host.load,
        "probe.machine.cpu_mhz": host.cpu_mhz,
        "probe.machine.cpu_busy": host.busy,
        "probe.machine.cpu_steal": host.steal,
        "probe.machine.pressure_cpu": host.pressure_cpu,
        "probe.machine.pressure_memory": host.pressure_memory,
        "probe.machine.pressure_io": host.pressure_io,
        "probe.machine.memory_available_bytes": host.memory_available_bytes,
        "probe.machine.swap_used_bytes": host.swap_used_bytes,
        "probe.machine.temperature_c": host.temperature_c,
        "probe.machine.gpu_sm_mhz": gpu.sm_mhz,
        "probe.machine.gpu_memory_mhz": gpu.memory_mhz,
        "probe.machine.gpu_clock_reasons": gpu.reasons or None,
        "probe.machine.gpu_power_w": gpu.power_w,
        "probe.machine.gpu_temperature_c": gpu.temperature_c,
        "probe.machine.gpu_utilisation": gpu.utilisation,
    }


def of_connect(connect: Connect, target: Target) -> dict[str, Value]:
    """An attempt to connect: to which server."""
    return {"probe.server": connect.server, **_address(target.servers[connect.server].url)}


def of_turn(turn: Turn, measured: TurnMeasures) -> dict[str, Value]:
    """A turn: what its listener waited for."""
    return _present(
        {
            "probe.turn_num": turn.turn_num,
            "probe.response_ttfb_ms": measured.response_ttfb_ms,
            "probe.response_ttfa_ms": measured.response_ttfa_ms,
            "probe.llm_tokens_per_second": measured.llm_tokens_per_second,
            "probe.llm_longest_stall_ms": measured.llm_longest_stall_ms,
            **{f"probe.{name}": getattr(measured, name) for name in whole_wait.NAMES},
            "probe.outside_ms": outside_ms(turn, measured),
            "probe.cached_tokens": turn.cached_tokens,
            "probe.stray_audio_bytes": turn.stray_audio_bytes or None,
        }
    )


def of_hearing(record: RunRecord, heard: Heard) -> dict[str, Value]:
    """The STT server's part of a turn; not a word of what it understood."""
    target = record.plan.target
    late = heard.longest_late_ns
    return _present(
        {
            genai.OPERATION_NAME: genai.SPEECH_TO_TEXT,
            genai.PROVIDER_NAME: _protocol(target.doing("stt")),
            genai.REQUEST_MODEL: target.option("stt", "model"),
            genai.OUTPUT_TYPE: "text",
            "probe.longest_late_ms": None if late is None else milliseconds(late),
            **_address_of(target.doing("stt")),
        }
    )


def of_transcription(found: Transcription) -> dict[str, Value]:
    """How well an answer was understood; not a word of it."""
    return _present(
        {
            genai.OPERATION_NAME: genai.SPEECH_TO_TEXT,
            genai.PROVIDER_NAME: found.protocol,
            genai.OUTPUT_TYPE: "text",
            "probe.answer_word_error_ratio": found.word_error_ratio,
            "probe.answer_words": found.words if found.turns else None,
            "probe.answer_word_errors": found.errors if found.turns else None,
            "probe.not_transcribed.stage": None if found.mishap is None else found.mishap.stage,
            **_address(found.url),
        }
    )


def of_chunk(chunk: Chunk, measured: ChunkMeasures) -> dict[str, Value]:
    """A chunk: its counts, and all of its measures."""
    return _present(
        {
            "probe.chunk_num": chunk.chunk_num,
            "probe.token_count": chunk.token_count,
            "probe.audio_bytes": chunk.audio_bytes,
            "probe.late_audio_bytes": chunk.late_audio_bytes or None,
            "probe.stop_reason": chunk.stop_reason,
            "probe.segment_end": chunk.segment_end,
            **{f"probe.{name}": value for name, value in asdict(measured).items()},
        }
    )


def of_chat(record: RunRecord, turn: Turn, chunk: Chunk, measured: ChunkMeasures) -> dict[str, Value]:
    """The LLM's part of a chunk, in the names of the convention."""
    target, scenario = record.plan.target, record.plan.scenario
    pause: Pause = scenario.first_pause if chunk.chunk_num == 1 else scenario.next_pause
    return _present(
        {
            genai.OPERATION_NAME: genai.CHAT,
            genai.PROVIDER_NAME: _protocol(target.doing("llm")),
            genai.REQUEST_MODEL: llm_model(record),
            genai.OUTPUT_TYPE: "text",
            genai.REQUEST_STREAM: True,
            genai.REQUEST_TEMPERATURE: scenario.temperature,
            genai.REQUEST_MAX_TOKENS: None if _goes_on(turn) else pause.max_tokens,
            genai.RESPONSE_TIME_TO_FIRST_CHUNK: _seconds(measured.llm_ttft_ms),
            genai.RESPONSE_FINISH_REASONS: None if chunk.stop_reason is None else (chunk.stop_reason,),
            genai.USAGE_INPUT_TOKENS: turn.prompt_tokens if chunk is turn.chunks[0] else None,
            genai.USAGE_OUTPUT_TOKENS: _output_tokens(turn, chunk),
            "probe.server_ttft_ms": chunk.server_ttft_ms,
            **_address_of(target.doing("llm")),
        }
    )


def of_speech(record: RunRecord, chunk: Chunk, measured: ChunkMeasures) -> dict[str, Value]:
    """The TTS server's part of a chunk, in the names of the convention."""
    target = record.plan.target
    return _present(
        {
            genai.OPERATION_NAME: genai.TEXT_TO_SPEECH,
            genai.PROVIDER_NAME: _protocol(target.doing("tts")),
            genai.REQUEST_MODEL: target.option("tts", "model"),
            genai.OUTPUT_TYPE: "speech",
            genai.REQUEST_STREAM: True,
            genai.RESPONSE_TIME_TO_FIRST_CHUNK: _seconds(measured.tts_ttfb_ms),
            "probe.voice": target.option("tts", "voice"),
            "probe.segment_end": chunk.segment_end,
            **_address_of(target.doing("tts")),
        }
    )


def llm_model(record: RunRecord) -> str | None:
    """The model that was asked for, else what the server says that it serves; None where neither is known."""
    asked: str | None = record.plan.target.option("llm", "model")
    return asked or record.served.model


def _goes_on(turn: Turn) -> bool:
    """Whether the server went on behind the first chunk by itself: it was we who ended that, and not the request."""
    return len(turn.chunks) > 1 and runs_freely(turn)


def _output_tokens(turn: Turn, chunk: Chunk) -> int | None:
    """The results of this chunk's request. A server's own count is for the whole answer: it is with its request."""
    if turn.usage_tokens is None or not runs_freely(turn):
        return chunk.token_count
    return turn.usage_tokens if chunk is turn.chunks[0] else None


def _protocol(server: ServerPlan | None) -> str | None:
    return None if server is None else server.protocol


def _address_of(server: ServerPlan | None) -> dict[str, Value]:
    return {} if server is None else _address(server.url)


def _address(url: str) -> dict[str, Value]:
    parts = urlsplit(url)
    return {genai.SERVER_ADDRESS: parts.hostname or "", genai.SERVER_PORT: parts.port or _PORTS.get(parts.scheme, 0)}


def _present(attributes: Mapping[str, Value | None]) -> dict[str, Value]:
    return {name: value for name, value in attributes.items() if value is not None}


def _seconds(ms: float | None) -> float | None:
    return None if ms is None else ms / 1000
