"""`probe compare --flows` of a target that hears: what is compared begins with the end of the speech."""

import asyncio
import json
import sys
from pathlib import Path

import patience

from probe import audio
from probe.reference.faults import LlmScript, ScriptedLlm, ScriptedTts, Wait, llm
from probe.reference.faults import audio as faults
from probe.reference.faults.wyoming_hearing import HearingScript, ScriptedHearing, transcript

SAID = "Tell me a joke about a unicorn."
PATIENCE_S = 120
TRANSCRIBES_S, SILENCE_MS = 0.3, 200
CONFIG = """
[targets.hears]
objective_ms = 100_000
stt = {{ url = "{stt}", endpointing = "server" }}
llm.url = "{llm}"
tts.url = "{tts}"
limits = {{ connect_s = 30, stt_s = 30, llm_s = 30, tts_s = 30 }}
[scenarios.joke]
user_turns = ["{said}"]
user_audio = ["said.wav"]
"""


async def test_both_flows_are_measured_from_the_end_of_the_speech(tmp_path: Path) -> None:
    audio.write_wav(tmp_path / "said.wav", faults.tone(500), faults.RATE)
    heard = HearingScript(silence_ms=SILENCE_MS, answers=((Wait(TRANSCRIBES_S), transcript(SAID)),))
    answer = (llm.chunk(" Here is one."), llm.last_chunk(" It is short."))
    async with ScriptedHearing(heard) as stt, ScriptedLlm(LlmScript(turns=(answer,))) as thinks, ScriptedTts() as tts:
        config = CONFIG.format(stt=stt.url, llm=thinks.url, tts=tts.url, said=SAID)
        (tmp_path / "probe.toml").write_text(config + patience.PATIENT_TOML)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "probe", "compare", "--flows", "--runs", "1", "--json",
            "--config", str(tmp_path / "probe.toml"), "--state-dir", str(tmp_path),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 4, err.decode()
    found = json.loads(out)
    for flow in ("sequential", "overlapped"):
        took = {name: each[f"{flow}_ms"] for name, each in found["measures"].items()}
        # Of the silence, less is left where the machine was late with the end of the speech.
        assert took["endpointing_ms"] > 0
        # What the script waits for is in it, whatever the machine adds.
        assert took["transcription_ms"] >= TRANSCRIBES_S * 1000
        # Each is rounded.
        asked = took["endpointing_ms"] + took["transcription_ms"] - 1
        assert took["voice_to_voice_ms"] >= asked
        assert took["speech_to_end_ms"] >= asked + took["wall_time_ms"]
