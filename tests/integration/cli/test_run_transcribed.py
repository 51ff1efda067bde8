"""`probe run` and `probe check-config --probe` with a recogniser in the configuration."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import patience

from probe.reference.faults import LlmScript, ScriptedLlm, ScriptedTts, llm
from probe.reference.faults.wyoming_hearing import HearingScript, ScriptedHearing, transcript

PATIENCE_S = 60


async def probe(*arguments: str) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "probe", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    return process.returncode, out.decode(), err.decode()


async def test_a_run_is_transcribed_when_it_is_over(tmp_path: Path) -> None:
    heard = HearingScript(answers=((transcript("hello popcorn unicorn"),),))
    async with (
        ScriptedLlm(LlmScript(turns=((llm.last_chunk("Hello there, unicorn."),),))) as llm_server,
        ScriptedTts() as tts_server,
        ScriptedHearing(heard) as stt,
    ):
        path = tmp_path / "probe.toml"
        path.write_text(
            f'[targets.t]\nobjective_ms = 60_000\nllm_url = "{llm_server.url}"\ntts_url = "{tts_server.url}"\n'
            f"{patience.PATIENT_TOML}"
            f'[intelligibility.stt]\nurl = "{stt.url}"\n'
        )
        code, out, err = await probe("run", "--config", str(path), "--json")
        several, text, _ = await probe("run", "--config", str(path), "--runs", "2")
        checked, found, _ = await probe("check-config", str(path), "--probe", "--json")
    document: Any = json.loads(out)
    assert code == 0, err
    assert document["intelligibility"]["word_error_rate"] == 0.3333
    assert document["intelligibility"]["turns"][0]["transcript"] == "hello popcorn unicorn"
    assert f"Having the answer transcribed by {stt.url}" in err
    assert several == 0 and "Word error rate of 2 answers that a recogniser transcribed: p50 33.3%" in text
    servers = {(each["target"], each["server"]): each for each in json.loads(found)["servers"]}
    assert checked == 0 and servers["intelligibility", "stt"]["protocol"] == "wyoming"
