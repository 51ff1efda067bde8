"""A daemon that is killed in the middle of a run: the next one ends the stream that it left, and measures."""

import json
import stat
from contextlib import AsyncExitStack
from pathlib import Path

from service import Service, eventually, service, write_config

from probe.daemon.unfinished_notes import FILE_NAME
from probe.measures import outcome
from probe.reference.faults import LlmScript, ScriptedLlm, ScriptedTts, Stall, llm

# Long enough to be killed in it.
SLOW_TURN = (llm.chunk(*["na "] * 2000, gap=0.05),)
THEN_HEALTHY = LlmScript(turns=(SLOW_TURN, llm.HEALTHY_TURN))
ENDED = "ended a stream that a killed run had left"


async def test_the_stream_of_a_killed_daemon_is_ended_by_the_next_which_measures(tmp_path: Path) -> None:
    async with ScriptedLlm(THEN_HEALTHY) as llm_server, ScriptedTts() as tts_server:
        # It has to find the slot free: it waits for nobody.
        more, target = "[courtesy]\nmax_wait_s = 0\n", 'llm.headers.authorization = "Bearer abc"\n'
        config = write_config(tmp_path, llm_server.url, tts_server.url, more=more, target=target)
        killed = await _killed_in_a_run(config, llm_server)
        (stream,) = llm_server.active_streams
        assert stream == f"probe-{killed}-1"
        async with service(config) as daemon:
            line = await daemon.until("run")
            assert (line["outcome"], llm_server.active_streams) == ("ok", {})
            assert (await daemon.until(ENDED))["run_id"] == killed
            # What it opened itself it released.
            await eventually(lambda: not (daemon.state_dir / FILE_NAME).exists())
            assert await daemon.end() == 0
        assert [outcome(record) for record in daemon.records()] == ["ok"]
        handshakes = [entry.data.lower() for entry in llm_server.log.entries if entry.data.startswith(b"GET /ws ")]
        assert len(handshakes) == 3
        assert all(b"authorization: bearer abc" in each for each in handshakes)


async def test_it_is_noted_for_the_owner_alone_and_only_while_the_run_goes_on(tmp_path: Path) -> None:
    async with (
        ScriptedLlm(LlmScript(turns=(SLOW_TURN,))) as llm_server,
        ScriptedTts() as tts_server,
        service(write_config(tmp_path, llm_server.url, tts_server.url)) as daemon,
    ):
        await llm_server.log.until(lambda entry: b"start_stream" in entry.data)
        file = daemon.state_dir / FILE_NAME
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        (note,) = json.loads(file.read_bytes())["runs"]
        assert note["target"] == "scripted"
        assert llm_server.url not in file.read_text()
        assert await daemon.end() == 0
        assert not file.exists()


async def test_the_next_daemon_ends_what_is_left_where_no_run_is_due(tmp_path: Path) -> None:
    async with ScriptedLlm(THEN_HEALTHY) as llm_server, ScriptedTts() as tts_server:
        config = write_config(tmp_path, llm_server.url, tts_server.url)
        await _killed_in_a_run(config, llm_server)
        config.write_text(config.read_text().replace("[schedules.scripted]\nevery_s = 3600.0", "[schedules]"))
        async with service(config) as daemon:
            await daemon.until(ENDED)
            assert not llm_server.active_streams
            assert not daemon.records()


async def test_a_server_that_does_not_answer_holds_up_neither_the_start_nor_is_forgotten(tmp_path: Path) -> None:
    async with ScriptedLlm(THEN_HEALTHY) as llm_server, ScriptedTts() as tts_server:
        config = write_config(tmp_path, llm_server.url, tts_server.url, every_s=1, more="[courtesy]\nmax_wait_s = 0\n")
        killed = await _killed_in_a_run(config, llm_server)
        llm_server.script = LlmScript(on_handshake=(Stall(),))
        async with service(config) as daemon:
            await daemon.until("a server does not answer; a stream that a run left there may still hold its slot")
            # Courtesy is answered, and finds the slot taken.
            await daemon.until("run", outcome="skipped")
            assert len(llm_server.active_streams) == 1
            llm_server.script = LlmScript()
            assert (await daemon.until(ENDED))["run_id"] == killed
            await daemon.until("run", outcome="ok")


async def test_the_stream_of_a_run_in_progress_in_another_daemon_stays(tmp_path: Path) -> None:
    script = LlmScript(turns=(SLOW_TURN, SLOW_TURN, llm.HEALTHY_TURN), slots=2)
    async with ScriptedLlm(script) as llm_server, ScriptedTts() as tts_server:
        configs = []
        for folder in (tmp_path / "one", tmp_path / "other"):
            folder.mkdir()
            more = "[courtesy]\nenabled = false\n"
            configs.append(write_config(folder, llm_server.url, tts_server.url, more=more))
        async with service(configs[0]):
            (going,) = await eventually(lambda: [*llm_server.active_streams])
            await _killed_in_a_run(configs[1], llm_server, streams=2)
            assert len(llm_server.active_streams) == 2
            async with service(configs[1]) as daemon:
                await daemon.until(ENDED)
                await daemon.until("run", outcome="ok")
                assert [*llm_server.active_streams] == [going]


async def test_a_stream_that_its_run_could_not_end_is_ended_before_the_next(tmp_path: Path) -> None:
    """The server can't be reached any more: the run fails, and its stream is left as by a daemon that is killed."""
    async with ScriptedTts() as tts_server, AsyncExitStack() as until_the_end:
        async with ScriptedLlm(LlmScript(turns=(SLOW_TURN,))) as first:
            more = "[courtesy]\nmax_wait_s = 0\n"
            config = write_config(tmp_path, first.url, tts_server.url, every_s=1, more=more)
            daemon = await until_the_end.enter_async_context(service(config))
            await first.log.until(lambda entry: b"start_stream" in entry.data)
            left, port = first.active_streams, first.port
        await daemon.until("run", outcome="failed")
        async with ScriptedLlm(port=port) as second:
            second.active_streams |= left
            await daemon.until("ended a stream that its own run could not end")
            await daemon.until("run", outcome="ok")


async def test_a_damaged_file_is_reported_in_a_line_and_measuring_goes_on(tmp_path: Path) -> None:
    async with ScriptedLlm() as llm_server, ScriptedTts() as tts_server:
        config = write_config(tmp_path, llm_server.url, tts_server.url)
        (tmp_path / "state").mkdir(mode=0o700)
        (tmp_path / "state" / FILE_NAME).write_text('{"version": 1, "runs": [{"run')
        async with service(config) as daemon:
            await daemon.until("what killed runs left is unknown: the file can't be read", level="warning")
            await daemon.until("run", outcome="ok")
            await eventually(lambda: not (daemon.state_dir / FILE_NAME).exists())


async def _killed_in_a_run(config: Path, llm_server: ScriptedLlm, streams: int = 1) -> str:
    """Run a daemon until the server has so many streams, and kill it there. Returns the id of its run."""
    async with service(config) as daemon:
        await eventually(lambda: len(llm_server.active_streams) == streams)
        (note,) = _noted(daemon)
        daemon.process.kill()
        assert await daemon.process.wait() < 0
    return str(note["run_id"])


def _noted(daemon: Service) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads((daemon.state_dir / FILE_NAME).read_bytes())["runs"]
    return found
