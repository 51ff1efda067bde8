"""A canary in every text that a server of any protocol sends, whole and in pieces: it is in the history alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fault_matrix import (
    of_agent,
    of_hearing_agent,
    of_nim_realtime,
    of_ollama,
    of_riva,
    of_riva_hearing,
    of_stt,
    of_vllm_speech,
    of_wyoming,
    over_http,
)
from fault_matrix.row import ONE_CHUNK, Row, Where, llm_says, tts_says
from fault_matrix.stage import play
from taint import PART, everything_but_the_history

from probe.protocols.registry import PROTOCOLS
from probe.reference.faults import (
    CHAT,
    SPEECH,
    Chunk,
    LastChunk,
    Reply,
    Stall,
    Text,
    chat,
    llm,
    nim_realtime,
    ollama,
    realtime,
    tts,
    wyoming,
)
from probe.reference.faults import http2_steps as h2
from probe.reference.faults import speech as http_speech
from probe.reference.faults import vllm_speech as vllm
from probe.reference.faults.nim_realtime import NimRealtimeScript
from probe.reference.faults.realtime import RealtimeScript
from probe.reference.faults.riva_hearing import Result
from probe.reference.faults.vllm_speech import VllmSpeechScript
from probe.reference.faults.wyoming_hearing import transcript

# No other word of ours, of a protocol or of a library has eight characters of it.
CANARY = "Xq7 Kwisatz-Oriole 9V zibbleford"
PIECES = tuple(CANARY[at : at + PART] for at in range(0, len(CANARY), PART))
ALL = frozenset(CANARY[at : at + PART].lower() for at in range(len(CANARY) - PART + 1))
TYPED: Mapping[str, str] = {"Content-Type": CANARY, "X-Said": CANARY}
# Audio is kept nowhere, whatever it is.
AS_AUDIO = "magpie, text as audio"
# By protocol: what fails with the canary, what is said with it in pieces, and what is none of the protocol's own.
OF_LLM: Mapping[str, Mapping[str, Any]] = {
    "chunked": {"llm": llm_says((*llm.tokens(*PIECES), llm.error(CANARY)))},
    "chunked, broken": {"llm": llm_says((*llm.tokens(*PIECES), Text(f'{{"type": "{CANARY}", "x": "{CANARY}')))},
    "openai_chat": {"llm_url": over_http.serving(CHAT, (chat.HEAD, *chat.tokens(*PIECES), chat.error(CANARY)))},
    "openai_chat, refused": {"llm_url": over_http.serving(CHAT, (Reply(500, chat.problem(CANARY), TYPED),))},
    "ollama": {
        "llm_url": of_ollama.serving((ollama.HEAD, *ollama.tokens(*PIECES), ollama.line(ollama.problem(CANARY)))),
        "target": f'llm.protocol = "ollama"\nllm.model = "{ollama.MODEL}"',
    },
}
OF_TTS: Mapping[str, Mapping[str, Any]] = {
    "magpie": {"tts": tts_says((tts.error(CANARY, fatal=False), tts.error(CANARY, fatal=True)))},
    AS_AUDIO: {"tts": tts_says(tts.pcm(CANARY.encode() * 20))},
    "openai_speech": {
        "tts_url": over_http.serving(
            SPEECH, (http_speech.head("text/event-stream"), Chunk(f'data: {{"error": "{CANARY}"}}\n\n'.encode()))
        )
    },
    "openai_speech, another kind": {"tts_url": over_http.serving(SPEECH, (Reply(200, CANARY.encode(), TYPED),))},
    "wyoming": {"tts_url": of_wyoming.serving((wyoming.error(CANARY, CANARY),))},
    "riva": {"tts_url": of_riva.serving((h2.refused(2, CANARY),))},
    "riva, behind audio": {"tts_url": of_riva.serving((*of_riva.BEGUN, h2.status(13, CANARY)))},
    "riva_http": {
        "tts_url": over_http.serving(of_riva.NIM, (Reply(422, {"detail": CANARY}, TYPED),)),
        "target": 'tts.protocol = "riva_http"',
    },
    "vllm_speech": {
        "tts_url": of_vllm_speech.serving(VllmSpeechScript(answers=((vllm.error(CANARY),),))),
        "target": of_vllm_speech.SPEAKS,
    },
    "nim_realtime": {
        "tts_url": of_nim_realtime.serving(NimRealtimeScript(answers=((nim_realtime.error(CANARY),),))),
        "target": 'tts.protocol = "nim_realtime"',
    },
}
OF_AGENT: Mapping[str, Mapping[str, Any]] = {
    "openai_realtime": {
        "agent_url": of_agent.serving(
            RealtimeScript(answers=((realtime.CREATED, *map(realtime.words, PIECES), realtime.failed(CANARY, CANARY)),))
        )
    },
    "openai_realtime, an error": {
        "agent_url": of_agent.serving(RealtimeScript(answers=((realtime.error(CANARY, CANARY),),)))
    },
}
_HEARS: Mapping[str, Any] = {
    "endpointing": "server",
    "recording": of_stt.SPEECH,
    "target": f"{of_hearing_agent.TRANSCRIBES}\n{of_hearing_agent.JUDGED}",
}
OF_HEARING_AGENT: Mapping[str, Mapping[str, Any]] = {
    f"openai_realtime, {name}": {
        "agent_url": of_agent.serving(
            RealtimeScript(silence_ms=100, on_silence=(*of_hearing_agent.HEARS, *steps), answers=((Stall(),),))
        ),
        **_HEARS,
    }
    for name, steps in {
        "another language": (realtime.transcript(CANARY),),
        "no transcript": (realtime.untranscribed(CANARY),),
        "no audio": (realtime.error(CANARY, "input_audio_buffer_" + CANARY),),
    }.items()
}
OF_STT: Mapping[str, Mapping[str, Any]] = {
    "wyoming, an STT server": {"stt_url": of_stt.serving((wyoming.error(CANARY, CANARY),))},
    "wyoming, another language": {"stt_url": of_stt.serving((transcript(CANARY),))},
    "riva, an STT server": {"stt_url": of_riva_hearing.serving((Result(CANARY, final=False), h2.status(13, CANARY)))},
    "riva, refused": {
        "stt_url": of_riva_hearing.serving(
            on_begin=(h2.Headers({":status": "500", "x": CANARY}), h2.Frame(h2.DATA, CANARY.encode(), h2.END_STREAM))
        )
    },
    "riva, another language": {"stt_url": of_riva_hearing.serving((*map(Result, PIECES), h2.OK))},
    "riva, no message": {"stt_url": of_riva_hearing.serving((h2.Frame(h2.DATA, h2.prefixed(CANARY.encode())),))},
    "openai_transcriptions": {"stt_url": of_stt.uploading(Reply(500, {"error": {"message": CANARY}}, TYPED))},
    "openai_transcriptions, streamed": {
        "stt_url": of_stt.uploading(
            of_stt.EVENTS,
            *(of_stt.event("transcript.text.delta", delta=piece) for piece in PIECES),
            of_stt.event("error", error=CANARY),
            LastChunk(),
        ),
        "target": of_stt.STREAMS,
    },
}
CASES = {**OF_LLM, **OF_TTS, **OF_AGENT, **OF_HEARING_AGENT, **OF_STT}


@pytest.mark.parametrize("name", CASES)
async def test_it_is_in_the_history_alone(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    of_its_role = {"llm": ONE_CHUNK} if name in OF_TTS else {"recording": of_stt.SPEECH} if name in OF_STT else {}
    parts = {**of_its_role, **CASES[name]}
    # Of the limits, one is Magpie's alone.
    where: Where = "LLM" if name in OF_LLM or name.startswith("magpie") else "TTS over HTTP"
    where = "STT, Wyoming" if name in OF_STT else "agent" if name in OF_HEARING_AGENT else where
    row = Row(name=name, injected="", where=where, stage="tts", reached="text", **parts)
    played = await play(row, tmp_path)
    assert played.faulty is not None and played.faulty.failure is not None
    turns = [(turn.heard, [chunk.text for chunk in turn.chunks]) for turn in played.faulty.turns]
    kept = f"{played.faulty.said} {turns}"
    assert PIECES[1] in kept or name == AS_AUDIO
    public = everything_but_the_history(played.faulty, (capsys.readouterr().out, *played.pages))
    assert [part for part in ALL if part in public] == []


def test_every_protocol_has_one() -> None:
    assert {name for protocols in PROTOCOLS.values() for name in protocols} == {name.split(",")[0] for name in CASES}
