"""The daemon's process stopped and continued, as a paused virtual machine is: no server failed meanwhile."""

import asyncio
import signal
from pathlib import Path

from gate import Gate
from service import service, write_config

from probe.reference.faults import LlmScript, ScriptedLlm, ScriptedTts

# Reaching the server takes a busy machine less; the stop is longer than what is left then.
CONNECT_S, STOPPED_S = 10, 11


async def test_a_handshake_that_ended_during_a_stop_is_no_time_out(tmp_path: Path) -> None:
    handshake = Gate()
    async with (
        ScriptedLlm(LlmScript(on_handshake=(handshake,))) as llm,
        ScriptedTts() as tts,
        service(config(tmp_path, llm.url, tts.url)) as daemon,
    ):
        await llm.log.until(lambda each: each.data.startswith(b"GET /ws "))
        daemon.process.send_signal(signal.SIGSTOP)
        handshake.opened.set()
        await asyncio.sleep(STOPPED_S)
        daemon.process.send_signal(signal.SIGCONT)
        line = await daemon.until("run")
    assert "reason" not in line, line


def config(folder: Path, llm_url: str, tts_url: str) -> Path:
    path = write_config(folder, llm_url, tts_url)
    path.write_text(path.read_text().replace("connect_s = 60", f"connect_s = {CONNECT_S}"))
    return path
