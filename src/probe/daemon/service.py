"""The composition root: puts the daemon together, runs it, takes it apart."""

import asyncio
import gc
import os
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path

import structlog

from probe import config as configuration
from probe.config import Config, ConfigError
from probe.daemon.lifecycle import heartbeat, on_signals
from probe.daemon.plans import entries, settled_at_start
from probe.daemon.runs import Runs
from probe.dispatch import Dispatch
from probe.health import Health
from probe.httpserver import Answer, HttpServer, Page, plain
from probe.schedule import Schedule
from probe.sinks.histograms import Histograms
from probe.sinks.history import History, Retention, reading
from probe.systemd import Notifier

log = structlog.get_logger("probe")

# SIGTERM to exit takes less than 10 s: first the run, then the sinks, in the worst case neither.
RUN_ENDS_S = 7.5
DRAIN_S = 1.0
LAST_RESORT_S = 9.5
# Threads that render or write may hold the interpreter for this long before a measurement gets it back.
SWITCH_INTERVAL_S = 0.001
# How far back to look for the last good run of a target.
RESTORED_RUNS = 20


class StartError(Exception):
    """The daemon can't start; one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Supervisor:
    """What systemd tells its service, if it is there at all."""

    notifier: Notifier
    watchdog_s: float | None


def serve(path: Path, config: Config, supervisor: Supervisor) -> None:
    """Run until SIGTERM or SIGINT. Raises StartError, HistoryError."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    health = Health()
    histograms = Histograms(version("voice-probe"), ["history", "histograms"])
    http = _listen(config, _pages(histograms, health))
    history = History(config.daemon.state_dir, Retention(config.history.keep_days, config.history.keep_megabytes))
    _expect(histograms, config)
    _restore(histograms, config)

    def on_error(sink: str, what: str) -> None:
        histograms.count_sink_error(sink)
        log.error("sink failed", sink=sink, error=what)

    dispatch = Dispatch(history, [histograms], on_error=on_error)
    http.start()
    # What is there now stays; a collection of it would stop a run for over 10 ms.
    gc.collect()
    gc.freeze()
    try:
        asyncio.run(_Daemon(path, config, supervisor, histograms, health, dispatch).run(http.port))
    finally:
        http.close()


class _Daemon:
    """From the first run to the last."""

    def __init__(
        self,
        path: Path,
        config: Config,
        supervisor: Supervisor,
        histograms: Histograms,
        health: Health,
        dispatch: Dispatch,
    ) -> None:
        self._path = path
        self._supervisor = supervisor
        self._histograms = histograms
        self._health = health
        self._dispatch = dispatch
        self._stop = asyncio.Event()
        self._runs = Runs(config, dispatch, histograms, health, self._stop)
        self._schedule = Schedule(self._runs)

    async def run(self, port: int) -> None:
        notifier = self._supervisor.notifier
        on_signals(self._end, self._reload)
        self._schedule.start(entries(self._runs.config), parallel=self._runs.config.daemon.parallel_targets)
        self._health.note(None)
        beating = asyncio.ensure_future(
            heartbeat(self._schedule, self._runs, self._health, self._histograms, notifier, self._supervisor.watchdog_s)
        )
        notifier.ready()
        log.info("started", config=str(self._path), http_port=port, schedules=[*self._runs.config.schedules])
        await self._stop.wait()
        await self._schedule.stop(RUN_ENDS_S)
        await self._dispatch.drain(DRAIN_S)
        beating.cancel()
        log.info("ended")

    def _end(self) -> None:
        if self._stop.is_set():
            os._exit(1)
        _leave_at_the_latest()
        self._supervisor.notifier.stopping()
        log.info("ending: the current run gives back its slot; once more to leave at once")
        self._stop.set()

    async def _reload(self) -> None:
        """Let a good file take over between two runs; a bad one changes nothing."""
        self._supervisor.notifier.reloading()
        try:
            new = await asyncio.to_thread(configuration.load, self._path)
        except ConfigError as error:
            self._histograms.set_config_refused()
            log.warning("configuration refused; the old one stays", errors=str(error).splitlines())
        else:
            await asyncio.to_thread(_expect, self._histograms, new)
            kept = settled_at_start(self._runs.config, new)
            self._runs.config = new
            if not self._stop.is_set():
                self._schedule.replace(entries(new), parallel=new.daemon.parallel_targets)
            log.info("configuration reloaded", schedules=[*new.schedules])
            if kept:
                log.warning("some changes take effect at the next start only", settings=kept)
        self._supervisor.notifier.ready()


def _expect(histograms: Histograms, config: Config) -> None:
    """Have every series of a configuration there, now that it has taken over."""
    histograms.expect(_pairs(config))
    histograms.set_config_loaded(time.time())


def _restore(histograms: Histograms, config: Config) -> None:
    """Have the gauges of the last runs tell what the history knows of them."""
    with reading(config.daemon.state_dir) as history:
        for target, scenario in _pairs(config):
            histograms.restore(history.runs(target=target, scenario=scenario, limit=RESTORED_RUNS))


def _pairs(config: Config) -> list[tuple[str, str]]:
    return [(entry.target.name, entry.scenario.name) for entry in entries(config)]


def _listen(config: Config, pages: Mapping[str, Page]) -> HttpServer:
    host, port = config.http.host, config.http.port
    try:
        return HttpServer(host, port, pages)
    except OSError as error:
        raise StartError(
            f"http.host {host!r}, http.port {port}: {error.strerror}; is another daemon running? Choose another port."
        ) from error


def _pages(histograms: Histograms, health: Health) -> dict[str, Page]:
    def metrics(accept: str) -> Answer:
        body, content_type = histograms.render(accept)
        return Answer(HTTPStatus.OK, body, content_type)

    def healthz(_accept: str) -> Answer:
        complaint = health.complaint()
        return plain(HTTPStatus.OK, "ok") if complaint is None else plain(HTTPStatus.SERVICE_UNAVAILABLE, complaint)

    def readyz(_accept: str) -> Answer:
        return plain(HTTPStatus.OK, "ready") if health.ready else plain(HTTPStatus.SERVICE_UNAVAILABLE, "no run yet")

    return {"/metrics": metrics, "/healthz": healthz, "/readyz": readyz}


def _leave_at_the_latest() -> None:
    """Whatever hangs, a disk or a name server, the process ends."""
    timer = threading.Timer(LAST_RESORT_S, os._exit, (1,))
    timer.daemon = True
    timer.start()
