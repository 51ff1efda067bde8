"""The chat protocol against llama.cpp's own HTTP server: embedded by xllamacpp, and the program by itself."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import patience
import pytest
from others import llama_server
from others import llama_url as url_of

from probe import config
from probe.daemon.attempt import attempt
from probe.daemon.plans import entries
from probe.measurement import measure
from probe.measures import measure_run
from probe.plan import new_plan
from probe.progress import Event
from probe.reference.faults import ScriptedTts, TtsScript, TtsTurn
from probe.reference.faults.tts import speech
from probe.transport.ask import get

SERVER = """
import sys
from probe.reference.llama_embedded import embedded_llama
from probe.reference.llm_model import default_model
with embedded_llama(default_model(), slots=1, ctx_size=2048, threads=1, verbose=False) as url:
    print(url, flush=True)
    sys.stdin.read()
"""
# What the model says is cut where it happens to pause, so a chunk may be a word or two sentences: a voice could need
# this long for either.
LONG_ENOUGH = TtsScript(turns=(TtsTurn(segments=(speech(2500),)),))
PATIENT = "limits = { connect_s = 60, llm_s = 60, tts_s = 60, run_s = 150, release_s = 20 }"


@contextmanager
def embedded() -> Iterator[str]:
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(60)
            finally:
                process.kill()


@contextmanager
def program(folder: Path) -> Iterator[str]:
    with llama_server(folder) as server:
        yield url_of(server)


@pytest.fixture(scope="module", params=["embedded", pytest.param("program", marks=pytest.mark.servers)])
def llama_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded() if request.param == "embedded" else program(tmp_path_factory.mktemp("llama")) as url:
        yield url


def write(tmp_path: Path, llama_url: str, tts_url: str) -> Path:
    path = tmp_path / "probe.toml"
    path.write_text(
        f"[targets.t]\nobjective_ms = 60000\n{PATIENT}\n"
        f'[targets.t.llm]\nurl = "{llama_url}/v1"\nmax_tokens = 60\nseed = 1\n[targets.t.tts]\nurl = "{tts_url}"\n'
        "[scenarios.s]\nturns = 2\ntemperature = 0.0\nuser_turns = ['Say hello to me in one sentence.']\n"
        f"{patience.PATIENT_TOML}"
    )
    return path


async def slots_at_work(llama_url: str) -> int:
    body = await get(f"{llama_url}/slots", 10.0)
    assert body is not None
    return sum(slot["is_processing"] for slot in json.loads(body))


async def test_a_whole_run(llama_url: str, tmp_path: Path) -> None:
    """`probe run`, with nothing of llama.cpp replaced: what it says of its own times bounds ours from below."""
    async with ScriptedTts(LONG_ENOUGH) as tts:
        path = write(tmp_path, llama_url, tts.url)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "probe", "run", "--json", "--config", str(path),
            stdout=asyncio.subprocess.PIPE, env=os.environ,
        )  # fmt: skip
        async with asyncio.timeout(200):
            out, _ = await process.communicate()
    run = json.loads(out)
    assert run["failure"] is None, run["failure"]
    assert process.returncode == 0, run["doubts"]
    assert len(run["turns"]) == 2
    for turn in run["turns"]:
        assert turn["chunks"][0]["llm_ttft_ms"] > 0
        assert turn["chunks"][-1]["stop_reason"] in ("stop", "length")
        assert turn["response_ttfb_ms"] > turn["chunks"][0]["llm_ttft_ms"]


async def test_what_it_says_of_itself_agrees(llama_url: str, tmp_path: Path) -> None:
    async with ScriptedTts() as tts:
        settings = config.load(write(tmp_path, llama_url, tts.url))
        (entry,) = entries(settings)
        done = await attempt(entry, settings, asyncio.Event())
    assert done is not None
    record = done.record
    assert record.failure is None, record.failure
    assert record.served.model == "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert (record.cold, done.unknown_users) == (False, False)
    for turn, measured in zip(record.turns, measure_run(record), strict=True):
        ttft_ms = measured.chunks[0].llm_ttft_ms
        # The first token can't come before its prompt is processed. Events are fewer than tokens, never more.
        assert ttft_ms is not None and ttft_ms >= turn.server_times["prompt_ms"]
        events = sum(chunk.token_count for chunk in turn.chunks)
        assert turn.usage_tokens is not None and 0 < events <= turn.usage_tokens <= 60
        # All of its work lies between our request and the last token.
        last = turn.chunks[-1].llm_done or 0
        took_ms = (last - (turn.chunks[0].inference_start or 0)) / 1e6
        assert took_ms >= turn.server_times["prompt_ms"] + turn.server_times["predicted_ms"] - 1


async def test_an_interrupted_run_leaves_its_slot_free(llama_url: str, tmp_path: Path) -> None:
    stop = asyncio.Event()
    seen: list[Event] = []

    def observe(event: Event) -> None:
        seen.append(event)
        if event.kind == "llm_token":
            stop.set()

    async with ScriptedTts() as tts:
        (entry,) = entries(config.load(write(tmp_path, llama_url, tts.url)))
        done = await measure(new_plan(entry.target, entry.scenario), patience.PATIENT, observe, stop)
    assert done.record.skipped == "interrupted"
    async with asyncio.timeout(60):
        while await slots_at_work(llama_url):
            pass


async def test_refusals_of_the_real_server(llama_url: str, tmp_path: Path) -> None:
    """A path that it does not have, and a prompt that is too long."""
    async with ScriptedTts() as tts:
        path = write(tmp_path, f"{llama_url}/nowhere", tts.url)
        (entry,) = entries(config.load(path))
        lost = await measure(new_plan(entry.target, entry.scenario), patience.PATIENT)
        path = write(tmp_path, llama_url, tts.url)
        path.write_text(path.read_text().replace("Say hello to me", "Say hello to me " * 1000))
        (entry,) = entries(config.load(path))
        long = await measure(new_plan(entry.target, entry.scenario), patience.PATIENT)
    assert lost.record.failure is not None and lost.record.failure.reason == "not_found"
    assert long.record.failure is not None and long.record.failure.reason == "server_error"
    assert "HTTP 400" in long.record.failure.detail and "exceed" in " ".join(long.record.said)
