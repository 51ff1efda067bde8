"""`probe serve realtime` as a process, on a real model and a real voice: measured, and ended by a signal."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import aiohttp
import patience

from probe import config
from probe.daemon.plans import entries
from probe.measurement import measure
from probe.measures import outcome
from probe.plan import new_plan

PATIENCE_S = 120
COMMAND = [sys.executable, "-m", "probe", "serve", "realtime", "--port", "0"]


async def test_it_answers_and_a_signal_ends_it_in_the_middle_of_another_answer(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(*COMMAND, stderr=subprocess.PIPE)
    assert process.stderr is not None
    try:
        async with asyncio.timeout(PATIENCE_S):
            url = (await process.stderr.readline()).decode().split()[-1]
        path = tmp_path / "probe.toml"
        path.write_text(
            f'[targets.t]\nobjective_ms = 60_000\n[targets.t.agent]\nurl = "{url}"\nmax_tokens = 30\n'
            "[targets.t.limits]\nllm_s = 60\ntts_s = 60\n"
        )
        (entry,) = entries(config.load(path))
        done = await measure(new_plan(entry.target, entry.scenario), tolerance=patience.PATIENT)
        assert outcome(done.record) != "failed", done.record.failure
        (turn,) = done.record.turns
        (chunk,) = turn.chunks
        # What it says is the model's affair.
        assert chunk.llm_first_token is not None and chunk.tts_first_audio is not None
        assert (chunk.sample_rate, turn.model) == (24_000, "SmolLM2-135M-Instruct.Q4_1")
        async with aiohttp.ClientSession() as http, http.ws_connect(url) as socket:
            item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Count to 1000."}]}
            await socket.send_json({"type": "conversation.item.create", "item": item})
            await socket.send_json({"type": "response.create"})
            while (await socket.receive_json())["type"] != "response.output_audio.delta":
                pass
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(PATIENCE_S):
                _, rest = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (process.returncode, rest) == (0, b"")
