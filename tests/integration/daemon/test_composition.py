"""What a daemon is made of is there before its first run."""

import errno
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from runs import record

from probe import config
from probe.daemon.composition import build
from probe.history.writer import History
from probe.reference.faults import refusing_port
from probe.tracing import spans
from probe.transport.framing.table import FRAMINGS, framing_named


async def test_no_framing_is_imported_during_a_run(tmp_path: Path) -> None:
    path = tmp_path / "probe.toml"
    path.write_text(f'[daemon]\nstate_dir = "{tmp_path}"\n[http]\nport = 0\n[schedules.a]\n')
    framing_named.cache_clear()
    parts = build(config.load(path))
    try:
        assert framing_named.cache_info().currsize == len(FRAMINGS)
    finally:
        await parts.dispatch.drain(10)
        parts.close(10)


@pytest.mark.parametrize("configured", [False, True])
async def test_without_a_collector_nothing_is_sent_and_nothing_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, configured: bool
) -> None:
    """Not even where an earlier configuration has left spans behind, which are forgotten one day."""
    earlier = History(tmp_path, count_spans=spans.count)
    earlier.append(record(1))
    earlier.close()
    with refusing_port() as port:
        endpoint = f'[otlp]\nendpoint = "http://127.0.0.1:{port}"\n' if configured else ""
        path = tmp_path / "probe.toml"
        path.write_text(f'[daemon]\nstate_dir = "{tmp_path}"\n[http]\nport = 0\n[schedules.a]\n{endpoint}')
        before = {thread.name for thread in threading.enumerate()}
        parts = build(config.load(path))
        # Spans wait until it is known what has changed.
        parts.rebuild.start()
        began = {thread.name for thread in threading.enumerate()} - before
        await parts.dispatch.submit(replace(record(2), started=time.time_ns(), ended=time.time_ns()))
        await parts.dispatch.drain(10)
        parts.close(10)
    page = parts.metrics.render("text/plain")[0].decode()
    assert ("span-export" in began) == configured
    assert ("sink failed" in capsys.readouterr().out) == configured
    assert ('voice_probe_sink_errors_total{sink="spans"} 0.0' in page) != configured
    assert ("voice_probe_spans_dropped_total 0.0" in page) != configured


async def test_a_daemon_that_can_not_keep_others_out_ends_no_streams(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system without locks: what is noted may be a run that another daemon has in progress."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    path = tmp_path / "probe.toml"
    path.write_text(f'[daemon]\nstate_dir = "{tmp_path}"\n[http]\nport = 0\n[schedules.a]\n')
    for unlocked in (False, True):
        if unlocked:
            monkeypatch.setattr("fcntl.flock", refuse)
        parts = build(config.load(path))
        try:
            assert (parts.unfinished is None) is unlocked
        finally:
            await parts.dispatch.drain(10)
            parts.close(10)
