"""The daemon as a process: what it records, serves, and survives."""

import asyncio
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from gate import Gate
from service import Service, eventually, refused, service, write_config

from probe.measures import outcome
from probe.reference.faults import (
    LlmScript,
    ScriptedLlm,
    ScriptedTts,
    Stall,
    TtsScript,
    TtsTurn,
    llm,
    refusing_port,
    tts,
)

OK = 'voice_probe_runs_total{outcome="ok",scenario="default",target="scripted"}'
SKIPPED = 'voice_probe_runs_total{outcome="skipped",scenario="default",target="scripted"}'
# Long enough to be interrupted anywhere in it; a server that generates reads nothing meanwhile.
SLOW_TURN = (llm.chunk(*["na "] * 2000, gap=0.05),)


async def test_the_first_run_is_at_start_and_everybody_gets_it(tmp_path: Path) -> None:
    looked_at = Gate()
    async with (
        ScriptedLlm(LlmScript(turns=(((looked_at, *llm.last_chunk("Hello there.")),),))) as llm_server,
        ScriptedTts() as tts_server,
        service(write_config(tmp_path, llm_server.url, tts_server.url)) as daemon,
    ):
        assert (await daemon.get("/readyz"))[0] == 503
        assert (await daemon.metrics())[OK] == 0
        looked_at.opened.set()
        line = await daemon.until("run")
        # The log, the metrics and the loop hear of the run in any order.
        await eventually(lambda: page_is(daemon, "/readyz", 200))
        await eventually(lambda: page_is(daemon, "/healthz", 200))
        await eventually(lambda: shows(daemon, OK, 1))
        code = await daemon.end()
    (record,) = daemon.records()
    assert (code, outcome(record)) == (0, "ok")
    assert line["run_id"] == record.plan.run_id
    assert line["trace_id"] == record.plan.trace_id


async def test_pages_and_methods(tmp_path: Path) -> None:
    with refusing_port() as port:
        url = f"ws://127.0.0.1:{port}/ws"
        async with service(write_config(tmp_path, url, url)) as daemon:
            assert (await daemon.get("/metrics"))[1].startswith("text/plain")
            openmetrics = "application/openmetrics-text; version=1.0.0"
            assert (await daemon.get("/metrics", openmetrics))[1].startswith("application/openmetrics-text")
            assert await daemon.get("/healthz", method="HEAD") == (200, "text/plain; charset=utf-8", "")
            assert (await daemon.get("/nothing"))[0] == 404
            assert (await daemon.get("/metrics", method="POST"))[0] == 405


STAGES: dict[str, tuple[LlmScript, TtsScript, str, str]] = {
    "connect llm": (LlmScript(on_accept=(Stall(),)), TtsScript(), "llm", "accepted"),
    "connect tts": (LlmScript(), TtsScript(on_accept=(Stall(),)), "tts", "accepted"),
    "tts init": (LlmScript(), TtsScript(turns=(TtsTurn(on_init=(Stall(),)),)), "tts", "text"),
    "first token": (LlmScript(turns=(((Stall(),),),)), TtsScript(), "llm", "text"),
    "generation": (LlmScript(turns=(SLOW_TURN,)), TtsScript(), "llm", "text"),
    "first audio": (
        LlmScript(), TtsScript(turns=(TtsTurn(segments=((Stall(),),)),)), "tts", "Hello",
    ),
    "audio": (
        LlmScript(), TtsScript(turns=(TtsTurn(segments=((*tts.speech(200), Stall()),)),)), "tts", "Hello",
    ),
    "close": (LlmScript(), TtsScript(turns=(TtsTurn(on_close=(Stall(),)),)), "tts", "close"),
}  # fmt: skip


@pytest.mark.parametrize("stage", STAGES)
async def test_sigterm_ends_a_run_in_any_stage_and_frees_the_slot(stage: str, tmp_path: Path) -> None:
    llm_script, tts_script, where, what = STAGES[stage]
    async with (
        ScriptedLlm(llm_script) as llm_server,
        ScriptedTts(tts_script) as tts_server,
        # Courtesy asks over HTTP first; here only the run itself may reach the servers.
        service(write_config(tmp_path, llm_server.url, tts_server.url, more="[courtesy]\nenabled = false")) as daemon,
    ):
        log = (llm_server if where == "llm" else tts_server).log
        await log.until(lambda e: e.direction == "in" and (e.kind == what or what.encode() in e.data))
        # So that it is well in that stage; earlier does no harm.
        await asyncio.sleep(0.1)
        assert await daemon.end() == 0
        assert not llm_server.active_streams
    (record,) = daemon.records()
    assert (record.failure, record.skipped) == (None, "interrupted")


async def test_frozen_servers_do_not_keep_it_from_ending(tmp_path: Path) -> None:
    frozen = LlmScript(turns=(((*llm.tokens("Hello"), Stall()),),), on_client_close=(Stall(),))
    deaf = TtsScript(on_client_close=(Stall(),))
    async with (
        ScriptedLlm(frozen) as llm_server,
        ScriptedTts(deaf) as tts_server,
        service(write_config(tmp_path, llm_server.url, tts_server.url)) as daemon,
    ):
        await llm_server.log.until(lambda e: e.kind == "text")
        assert await daemon.end() == 0


async def test_a_second_sigterm_ends_it_at_once(tmp_path: Path) -> None:
    frozen = LlmScript(turns=(((*llm.tokens("Hello"), Stall()),),))
    async with (
        ScriptedLlm(frozen) as llm_server,
        ScriptedTts() as tts_server,
        service(write_config(tmp_path, llm_server.url, tts_server.url)) as daemon,
    ):
        await llm_server.log.until(lambda e: e.kind == "text")
        daemon.process.send_signal(signal.SIGTERM)
        await daemon.until("stopping: the current run releases its slot; a second signal stops at once")
        # The first alone ends with 0.
        assert await daemon.end() == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
async def test_a_signal_between_two_runs(number: signal.Signals, tmp_path: Path) -> None:
    async with (
        ScriptedLlm() as llm_server,
        ScriptedTts() as tts_server,
        service(write_config(tmp_path, llm_server.url, tts_server.url)) as daemon,
    ):
        await daemon.until("run")
        assert await daemon.end(number) == 0


async def test_a_good_file_takes_over_on_sighup(tmp_path: Path) -> None:
    async with ScriptedLlm() as llm_server, ScriptedTts() as tts_server:
        config = write_config(tmp_path, llm_server.url, tts_server.url)
        async with service(config) as daemon:
            await daemon.until("run")
            new = config.read_text().replace(
                "[schedules.scripted]", "[targets.new]\n[schedules.n]\ntarget='new'\n[schedules.scripted]"
            )
            config.write_text(new.replace("port = 0", "port = 1"))
            daemon.process.send_signal(signal.SIGHUP)
            changed = (await daemon.until("configuration reloaded"))["changed"]
            assert changed == ["http.port 0 → 1", "schedules.n added", "targets.new added"]
            assert (await daemon.until("some changes take effect at the next start only"))["settings"] == ["http.port"]
            await eventually(lambda: shows(daemon, OK, 1))
            metrics = await daemon.metrics()
            assert OK.replace("scripted", "new") in metrics
            assert metrics["voice_probe_config_last_reload_successful"] == 1
            await daemon.until("run", target="new")
            config.write_text(new.replace("[targets.new]\n[schedules.n]\ntarget='new'\n", ""))
            daemon.process.send_signal(signal.SIGHUP)
            changed = ["http.port 1 → 0", "schedules.n removed", "targets.new removed"]
            await daemon.until("configuration reloaded", changed=changed)
            metrics = await daemon.metrics()
            of_new = [name.partition("{")[0] for name in metrics if 'target="new"' in name]
            assert of_new == ["voice_probe_next_run_timestamp_seconds"]
            assert metrics[OK] == 1
            assert await daemon.end() == 0
        assert len(daemon.records()) == 2


async def test_a_bad_file_changes_nothing_and_is_reported(tmp_path: Path) -> None:
    async with ScriptedLlm() as llm_server, ScriptedTts() as tts_server:
        config = write_config(tmp_path, llm_server.url, tts_server.url, every_s=1)
        async with service(config) as daemon:
            await daemon.until("run")
            good = config.read_text()
            config.write_text(good + "\n[http]\nprot = 1")
            daemon.process.send_signal(signal.SIGHUP)
            assert (await daemon.until("configuration refused; the old one stays in effect"))["errors"]
            assert (await daemon.metrics())["voice_probe_config_last_reload_successful"] == 0
            runs = len(daemon.records())
            await eventually(lambda: len(daemon.records()) > runs + 1)
            config.write_text(good)
            daemon.process.send_signal(signal.SIGHUP)
            await daemon.until("configuration reloaded")
            assert (await daemon.metrics())["voice_probe_config_last_reload_successful"] == 1
            assert await daemon.end() == 0


async def test_a_port_that_is_taken(tmp_path: Path) -> None:
    config = write_config(tmp_path, "ws://localhost:1/ws", "ws://localhost:1/ws")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config.write_text(config.read_text().replace("port = 0", f"port = {taken.getsockname()[1]}"))
        code, stderr = await refused(["daemon", "--config", str(config)])
    assert code == 1
    assert stderr.startswith("probe: http.host '127.0.0.1', http.port")
    assert len(stderr.splitlines()) == 1


@pytest.mark.parametrize("setting", ["state_dir", "audio_dir"])
async def test_a_folder_that_can_not_be_written(setting: str, tmp_path: Path) -> None:
    config = write_config(tmp_path, "ws://localhost:1/ws", "ws://localhost:1/ws")
    (tmp_path / "file").write_text("")
    text = config.read_text()
    if setting == "state_dir":
        config.write_text(text.replace(f'"{tmp_path}/state"', f'"{tmp_path}/file/state"'))
    else:
        config.write_text(text.replace("[daemon]", f'[daemon]\naudio_dir = "{tmp_path}/file/audio"'))
    code, stderr = await refused(["daemon", "--config", str(config)])
    assert code == 1
    assert f"{tmp_path}/file" in stderr
    assert len(stderr.splitlines()) == 1


async def test_a_configuration_that_is_bad_or_not_there(tmp_path: Path) -> None:
    config = tmp_path / "probe.toml"
    code, stderr = await refused(["daemon", "--config", str(config)])
    assert (code, len(stderr.splitlines())) == (2, 1)
    config.write_text("a = 1\n[http]\nport = -1")
    code, stderr = await refused(["daemon", "--config", str(config)])
    assert (code, len(stderr.splitlines())) == (2, 2)


async def test_users_come_first(tmp_path: Path) -> None:
    async with ScriptedLlm() as llm_server, ScriptedTts() as tts_server:
        llm_server.active_streams["somebody"] = []
        more = "[courtesy]\nmax_wait_s = 1"
        async with service(write_config(tmp_path, llm_server.url, tts_server.url, more=more)) as daemon:
            line = await daemon.until("run", outcome="skipped")
            assert "1 stream in use" in line["skipped"]
            await eventually(lambda: shows(daemon, SKIPPED, 1))
            assert not llm_server.log.received("text")
            await eventually(lambda: page_is(daemon, "/readyz", 200))


async def test_a_server_that_is_down_is_not_busy(tmp_path: Path) -> None:
    with refusing_port() as port:
        url = f"ws://127.0.0.1:{port}/ws"
        async with service(write_config(tmp_path, url, url)) as daemon:
            line = await daemon.until("run")
    assert (line["outcome"], line["stage"], line["reason"]) == ("failed", "connect", "refused")


async def test_a_run_that_takes_too_long_skips_the_next(tmp_path: Path) -> None:
    slow = LlmScript(turns=((llm.last_chunk("Hello.", first=3.0),),))
    async with (
        ScriptedLlm(slow) as llm_server,
        ScriptedTts() as tts_server,
        service(write_config(tmp_path, llm_server.url, tts_server.url, every_s=1, objective_ms=1000)) as daemon,
    ):
        line = await daemon.until("run", outcome="skipped")
        assert line["skipped"] == "the previous run is still going"
        await daemon.until("run", outcome="slow")
        asked = [e.json["action"] for e in llm_server.log.received("text")]
    # One after the other, however many there were by then.
    streams = [action for action in asked if action != "continue_stream"]
    assert streams == [("start_stream", "end_stream")[number % 2] for number in range(len(streams))]


async def test_the_last_runs_audio_is_kept(tmp_path: Path) -> None:
    async with ScriptedLlm() as llm_server, ScriptedTts() as tts_server:
        config = write_config(tmp_path, llm_server.url, tts_server.url, every_s=1)
        config.write_text(
            config.read_text().replace("[daemon]", f'[daemon]\naudio_dir = "{tmp_path}/a"\naudio_runs = 2')
        )
        async with service(config) as daemon:
            await eventually(lambda: len(_recorded(daemon)) >= 4)
            await daemon.end()
    # A run that the end met may have heard nothing yet.
    heard = [record for record in daemon.records() if any(c.audio_bytes for turn in record.turns for c in turn.chunks)]
    kept = sorted(path.stem for path in (tmp_path / "a").iterdir())
    assert kept == [record.plan.run_id for record in heard[-2:]]


async def page_is(daemon: Service, path: str, status: int) -> bool:
    return (await daemon.get(path))[0] == status


async def shows(daemon: Service, series: str, value: float) -> bool:
    return (await daemon.metrics())[series] == value


def _recorded(daemon: Service) -> list[Any]:
    return [line for line in daemon.lines if line["event"] == "run"]
