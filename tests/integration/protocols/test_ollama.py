"""Whole runs with an Ollama server that answers by script, over real HTTP."""

import asyncio
from pathlib import Path
from typing import Any

import patience
import pytest

from probe import config
from probe.daemon.attempt import attempt
from probe.daemon.plans import entries
from probe.measures import outcome
from probe.record import RunRecord, ServerIdentity
from probe.reference.faults import HttpScript, Reply, ScriptedHttp, ScriptedTts, ollama
from probe.reference.faults.connection import Steps

WORDS = (" Well,", " hello", " there.", " How", " are", " you?")


async def run(tmp_path: Path, *answers: Steps, pages: Any = ollama.PAGES, turns: int = 1) -> RunRecord:
    """What a daemon makes of a server with these answers."""
    async with ScriptedTts() as tts, ScriptedHttp(HttpScript(answers={**pages, ollama.CHAT: answers})) as server:
        path = tmp_path / "probe.toml"
        path.write_text(
            f'[targets.t.llm]\nprotocol = "ollama"\nurl = "{server.http_url}"\nmodel = "{ollama.MODEL}"\n'
            f'keep_alive = "10m"\n[targets.t.tts]\nurl = "{tts.url}"\n[targets.t.limits]\nllm_s = 60\ntts_s = 60\n'
            f"[scenarios.s]\nturns = {turns}\nturn_pause_s = 0.0\n"
            f"{patience.PATIENT_TOML}"
        )
        settings = config.load(path)
        (entry,) = entries(settings)
        done = await attempt(entry, settings, asyncio.Event())
    assert done is not None
    for asked in server.log.received("body"):
        assert asked.json["model"] == ollama.MODEL and asked.json["keep_alive"] == "10m"
    return RunRecord.from_json(done.record.to_json())


async def test_two_turns_with_what_the_server_says_of_them(tmp_path: Path) -> None:
    record = await run(tmp_path, ollama.answer(*WORDS), turns=2)
    assert outcome(record) in ("ok", "slow"), record.failure
    assert (record.served, record.cold) == (ServerIdentity(ollama.MODEL, "0.40.8"), False)
    assert [each.server for each in record.connects].count("llm") == 1
    for turn in record.turns:
        assert "".join(chunk.text for chunk in turn.chunks) == "".join(WORDS)
        assert turn.usage_tokens == len(WORDS)
        assert turn.server_times == {"load_ms": 20.0, "prompt_eval_ms": 100.0, "eval_ms": 780.0, "total_ms": 900.0}


@pytest.mark.parametrize(
    ("pages", "load_ms", "cold"),
    [
        ({}, 20.0, None),
        ({}, 2000.0, True),
        (ollama.PAGES, 2000.0, True),
        ({"/api/ps": ((Reply(200, {"models": []}),),)}, 20.0, True),
    ],
    ids=["unknown", "by the answer", "by the answer, whatever was said before", "by what was said before"],
)
async def test_a_run_that_had_a_model_loaded_is_cold(tmp_path: Path, pages: Any, load_ms: float, cold: Any) -> None:
    assert (await run(tmp_path, ollama.answer(*WORDS, load_ms=load_ms), pages=pages)).cold is cold
