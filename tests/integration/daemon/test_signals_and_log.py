"""What a reader of the log, or a signal at a bad moment, can't do to the daemon."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from service import PATIENCE_S, Service, eventually, service, write_config

from probe.history.file import HistoryError
from probe.reference.faults import LlmScript, ScriptedLlm, ScriptedTts, llm, refusing_port

# Long enough to be interrupted in it.
SLOW_TURN = (llm.chunk(*["na "] * 2000, gap=0.05),)


async def test_standard_output_that_nobody_reads_holds_up_neither_a_run_nor_a_reload_nor_the_end(
    tmp_path: Path,
) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, bytes(4096))
    os.set_blocking(writing, True)
    async with (
        ScriptedLlm(LlmScript(turns=((llm.last_chunk("Hello there."),), SLOW_TURN))) as server,
        ScriptedTts() as tts,
    ):
        config = write_config(tmp_path, server.url, tts.url, every_s=1)
        async with _started(config, writing) as process:
            os.close(writing)
            daemon = Service(process, tmp_path / "state")
            await eventually(lambda: _runs(daemon) >= 1)
            await eventually(lambda: server.active_streams)
            process.send_signal(signal.SIGHUP)
            code = await daemon.end()
        await eventually(lambda: not server.active_streams)
    os.close(reading)
    assert code == 0
    last = daemon.records()[-1]
    assert (last.failure, last.skipped) == (None, "interrupted")


async def test_a_reload_that_is_asked_for_while_it_starts_waits_until_it_can_be_done(tmp_path: Path) -> None:
    with refusing_port() as port:
        url = f"ws://127.0.0.1:{port}/ws"
        config = write_config(tmp_path, url, url)
        text, later = config.read_text(), config.rename(tmp_path / "later.toml")
        # It starts, and waits for its configuration.
        os.mkfifo(config)
        async with _started(config, asyncio.subprocess.PIPE) as process, asyncio.timeout(PATIENCE_S):
            given = await asyncio.to_thread(config.open, "w")
            process.send_signal(signal.SIGHUP)
            later.rename(config)
            given.write(text)
            given.close()
            assert process.stdout is not None
            while b"configuration reloaded" not in (line := await process.stdout.readline()):
                assert line, "it ended"
            process.send_signal(signal.SIGTERM)
            await process.communicate()
        assert process.returncode == 0


@asynccontextmanager
async def _started(config: Path, stdout: int) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "probe", "daemon", "--config", str(config), stdout=stdout
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _runs(daemon: Service) -> int:
    try:
        return len(daemon.records())
    except HistoryError:
        return 0


async def test_more_targets_than_fit_are_reported_at_start(tmp_path: Path) -> None:
    async with ScriptedLlm() as llm_server, ScriptedTts() as tts_server:
        config = write_config(tmp_path, llm_server.url, tts_server.url)
        fewer = "import probe.daemon.capacity as c\nc.MOST_SERIES = 0"
        async with service(config, prelude=fewer) as daemon:
            line = await daemon.until("more targets than fit", level="warning")
            assert (line["series"], line["most_series"]) == (1, 0)
            assert line["memory_mb"] > 0
            await daemon.until("run", outcome="ok")
