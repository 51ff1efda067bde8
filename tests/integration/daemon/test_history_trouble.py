"""What disks, backups and people do to the history of a daemon that must measure anyway."""

import asyncio
import sqlite3
from pathlib import Path

from service import PATIENCE_S, Service, eventually, refused, service, write_config

from probe.history.file import FILE_NAME, HistoryError
from probe.history.writer import History
from probe.reference.faults import ScriptedLlm, ScriptedTts

ERRORS = 'voice_probe_sink_errors_total{sink="history"}'


async def test_a_second_daemon_on_a_state_directory_is_refused_by_name(tmp_path: Path) -> None:
    async with ScriptedLlm() as llm, ScriptedTts() as tts:
        config = write_config(tmp_path, llm.url, tts.url)
        async with service(config) as daemon:
            code, stderr = await refused(["daemon", "--config", str(config)])
            assert (code, len(stderr.splitlines())) == (2, 1)
            assert f"used by another daemon (process {daemon.process.pid})" in stderr
            assert await daemon.end() == 0
        async with service(config) as daemon:
            assert await daemon.end() == 0


async def test_a_damaged_history_is_said_so_and_runs_wait_until_it_is_moved_away(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    file = tmp_path / "state" / FILE_NAME
    # As a file system may leave it after a power cut.
    file.write_bytes(bytes(10_000))
    async with ScriptedLlm() as llm, ScriptedTts() as tts:
        async with service(write_config(tmp_path, llm.url, tts.url, every_s=1)) as daemon:
            failed = await daemon.until("sink failed", sink="history")
            assert "move it away" in failed["error"]
            await eventually(lambda: len([line for line in daemon.lines if line["event"] == "run"]) >= 3)
            assert (await daemon.metrics())[ERRORS] >= 1
            file.rename(tmp_path / "damaged")
            await eventually(lambda: _kept(daemon) >= 3)
            assert await daemon.end() == 0
        ids = [line["run_id"] for line in daemon.lines if line["event"] == "run"]
        assert [record.plan.run_id for record in daemon.records()][: len(ids)] == ids


async def test_a_lock_that_stays_delays_no_run_and_loses_none(tmp_path: Path) -> None:
    async with ScriptedLlm() as llm, ScriptedTts() as tts:
        async with service(write_config(tmp_path, llm.url, tts.url, every_s=1)) as daemon:
            await daemon.until("run")
            other = await asyncio.to_thread(_locked, tmp_path / "state" / FILE_NAME)
            # One run waits for the history, and two that are due meanwhile are skipped. Those after it wait for nobody.
            await daemon.until("sink failed", sink="history")
            failed_at = len(_outcomes(daemon.lines))
            # Where each waited, two were skipped after each. On a busy machine one of them may take its second anyway.
            await eventually(lambda: ["ok"] * 4 in _windows(_outcomes(daemon.lines)[failed_at:], 4))
            other.execute("ROLLBACK")
            other.close()
            assert await daemon.end() == 0
        assert len(daemon.records()) == len(_outcomes(daemon.lines))


async def test_a_run_that_can_not_be_read_keeps_no_other_from_a_restart(tmp_path: Path) -> None:
    async with ScriptedLlm() as llm, ScriptedTts() as tts:
        config = write_config(tmp_path, llm.url, tts.url)
        async with service(config) as daemon:
            await daemon.until("run")
            assert await daemon.end() == 0
        history = History(tmp_path / "state")
        history._db.execute("UPDATE runs SET record = x'00', serving = NULL")
        history.close()
        async with service(config) as daemon:
            failed = await daemon.until("sink failed", sink="history")
            assert "1 of the last runs can't be read" in failed["error"]
            await daemon.until("run")
            assert await daemon.end() == 0
        assert len(daemon.records()) == 1


def _kept(daemon: Service) -> int:
    try:
        return len(daemon.records())
    except HistoryError:
        return 0


def _locked(path: Path) -> sqlite3.Connection:
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=PATIENCE_S)
    other.execute("BEGIN IMMEDIATE")
    return other


def _windows(outcomes: list[object], length: int) -> list[list[object]]:
    return [outcomes[at : at + length] for at in range(len(outcomes))]


def _outcomes(lines: list[dict[str, object]]) -> list[object]:
    return [line["outcome"] for line in lines if line["event"] == "run"]
