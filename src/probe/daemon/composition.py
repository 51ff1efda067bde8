"""All parts of a daemon except its schedule, created from the configuration."""

import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path

from probe.config import Config, state_dir
from probe.daemon import runbook, state_lock, unfinished
from probe.daemon.answer_sinks import AnswerSinks, Taker
from probe.daemon.beside_drift import BesideDrift
from probe.daemon.beside_history import names_beside
from probe.daemon.collectors import exported, span_sinks
from probe.daemon.dispatch import Dispatch, OnError, Sink
from probe.daemon.drift_sink import DriftSink
from probe.daemon.front_page import front_page
from probe.daemon.health import Health
from probe.daemon.history_drift import WatchedHistory
from probe.daemon.http_access import Access
from probe.daemon.http_server import Answer, HttpServer, Page, SlowPage, plain
from probe.daemon.keeper import HISTORY
from probe.daemon.log import Logger, make_logger
from probe.daemon.log_queue import QueuedLines
from probe.daemon.on_demand import OnDemand
from probe.daemon.plans import entries
from probe.daemon.rebuild import Rebuild
from probe.daemon.schedule import Entry
from probe.daemon.state_lock import Held
from probe.daemon.transcriber import Transcriber
from probe.daemon.unfinished import Unfinished
from probe.drift import Monitor
from probe.history.drift_states import DriftStates
from probe.history.file import HistoryError
from probe.history.private import replace
from probe.history.reader import reading
from probe.history.writer import History, Pruned, Retention
from probe.measurement import machine_of
from probe.metrics.daemon import OTLP_METRICS
from probe.metrics.observations import fillable
from probe.metrics.one_run import one_run
from probe.metrics.registry import Metrics
from probe.pace import KEPT
from probe.protocols.registry import answering, hearing, says_end
from probe.record import RunRecord, ServerIdentity
from probe.report.audio_archive import AudioArchive
from probe.report.debug_text import debug_text
from probe.report.log_lines import RUN, LogSink
from probe.report.run_line import run_line
from probe.tracing import spans
from probe.tracing.exporter import SpanSink
from probe.transport.framing.table import FRAMINGS, framing_named
from probe.waits import asked

VERSION = version("voice-probe")
# How far back to look for the last good run of a target, and how long a row of attempts is known after a restart.
RESTORED_RUNS = 20
# A record whose audio is kept is large: a sink that is further behind than this loses runs.
QUEUED_RUNS = 100


class StartError(Exception):
    """The daemon can't start; one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that live as long as the daemon."""

    log: Logger
    lines: QueuedLines
    # What says that this state directory is taken; None where the disk has no room for it.
    held: Held | None
    health: Health
    metrics: Metrics
    dispatch: Dispatch
    http: HttpServer
    # The page of it waits until this is attached.
    on_demand: OnDemand
    # To be started when the first runs are on their way.
    rebuild: Rebuild
    # What each target's servers said of themselves last, as far as the history knows.
    served: dict[str, ServerIdentity]
    # The last runs of a series that the history has, the oldest first. Raises HistoryError.
    past: Callable[[str, str], Sequence[RunRecord]]
    # To be set to work when the first runs are on their way.
    transcriber: Transcriber
    # To be set when the daemon ends: sinks have a second then, and to find what changed beside a drift takes longer.
    ending: threading.Event
    # What runs may leave on servers; None where another daemon may use this state directory, too.
    unfinished: Unfinished | None

    def close(self, lines_s: float) -> None:
        """Release what is not the dispatch's, once that has drained; the log has `lines_s` to be written."""
        self.http.close()
        self.rebuild.join(lines_s)
        self.lines.close(lines_s)
        if self.held is not None:
            self.held.close()


def build(config: Config, coloured: bool | None = None) -> Parts:
    """Take the state directory and the port, open the history, start the sinks.

    `coloured`: whether a log for a person has colours; None where it has them on a terminal. Raises StartError,
    ConfigError (of the file of the HTTP port), TakenError and HistoryError. A disk or a history that is in trouble is
    none of them: what can be measured is, and what can't be kept is counted.
    """
    _import(config)
    health = Health()
    names = [HISTORY, *(sink.name for sink in (Metrics, DriftSink, SpanSink, LogSink, AudioArchive))]
    metrics = Metrics(VERSION, [*names, OTLP_METRICS] if config.otlp.metrics_url else names)
    lines = QueuedLines(sys.stdout, lambda: metrics.daemon.count_sink_error(LogSink.name))
    log = make_logger(lines, config.log.format, {RUN: run_line}, coloured)

    def on_error(sink: str, what: str) -> None:
        metrics.daemon.count_sink_error(sink)
        log.error("sink failed", sink=sink, error=what)

    def on_repeat(sink: str, _what: str) -> None:
        """The error has been logged, and the daemon continues."""
        metrics.daemon.count_sink_error(sink)

    held = state_lock.hold_if_possible(state_dir(config), partial(on_error, HISTORY))
    on_demand = OnDemand(partial(_expect, metrics), one_run, debug_text)
    http = _listen(config, pages(metrics, health), slow_pages(on_demand), log)
    counting = spans.count if config.otlp.url else _no_spans
    # Those of an earlier configuration, whose collector nobody wants any more, are no loss.
    on_dropped = metrics.daemon.count_dropped_spans if config.otlp.url else _no_spans
    retention = Retention(config.history.keep_days, config.history.keep_megabytes)

    def on_unreadable(run_id: str, spans: int) -> None:
        on_dropped(spans)
        on_error(HISTORY, f"run {run_id} can't be read: its spans are lost")

    history = History(state_dir(config), retention, counting, partial(on_error, HISTORY), on_unreadable)
    new_monitor = partial(Monitor, config.drift.threshold, config.drift.least_change_percent / 100)
    save = DriftStates(state_dir(config)).save
    ending = threading.Event()
    beside = BesideDrift(
        partial(names_beside, state_dir(config), ending), metrics.show_beside, partial(on_error, DriftSink.name)
    )
    drift = DriftSink(new_monitor, metrics.update_drift, metrics.count_drift, log, save, beside)

    def on_pruned(pruned: Pruned) -> None:
        metrics.daemon.set_history(pruned.runs, pruned.bytes)
        on_dropped(pruned.unsent_spans)

    watched = WatchedHistory(history, drift, on_error=on_error, on_pruned=on_pruned, held=held)
    # One that could not be opened is begun, or goes on, when the disk lets it: without its past.
    series = _pairs(config) if history.is_open else []
    sending = span_sinks(watched, metrics, config.otlp, VERSION, on_error=on_error, on_repeat=on_repeat)

    def on_rebuilt() -> None:
        for sink in sending:
            sink.wake()

    rebuild = Rebuild(state_dir(config), drift, watched, new_monitor, series, on_error=on_error, on_rebuilt=on_rebuilt)
    counting_sink = exported(metrics, config.otlp, VERSION, on_error=on_error, on_repeat=on_repeat)
    logs = LogSink(log, log_texts=config.log.texts)
    sinks: list[Sink] = [counting_sink, drift, logs, *sending]
    takers: list[Taker] = [(metrics.name, metrics.intelligibility.count), (logs.name, logs.write_later)]
    takers += ((each.name, each.write_later) for each in sending)
    if folder := config.daemon.audio_dir:
        sinks.append(_archive(folder, config.daemon.audio_runs))

    dispatch = Dispatch(watched, sinks, on_error=on_error, queue_size=QUEUED_RUNS)
    expect(metrics, config)
    served = _restored(history, metrics, config, on_error) if history.is_open else {}
    past = partial(_past, state_dir(config))
    kept = (dispatch.add_transcription, history.add_transcription)
    transcriber = Transcriber(config, AnswerSinks(lambda *of: any(add(*of) for add in kept), takers, on_error).take)
    return Parts(
        log, lines, held, health, metrics, dispatch, http, on_demand, rebuild, served, past, transcriber, ending,
        None if held is None else unfinished.opened(state_dir(config), replace, log),
    )  # fmt: skip


def expect(metrics: Metrics, config: Config) -> None:
    """Create every series of a configuration that was accepted, and show no others."""
    metrics.daemon.set_config_loaded(time.time())
    targets = [target.record(name) for name, target in config.targets.items()]
    machines = [machine for each in targets if (machine := machine_of(each)) is not None]
    metrics.keep([*config.targets], [*config.scenarios], {each.name for each in machines})
    for entry in entries(config):
        _expect(metrics, entry)
    metrics.intelligibility.expect(pair for pair in _pairs(config) if config.intelligibility.wants(pair[0]))


def _expect(metrics: Metrics, entry: Entry) -> None:
    target = entry.target
    spoken_into = entry.scenario.interrupt_after_ms is not None
    histograms = fillable(answering(target), hearing(target), interrupted=spoken_into, says_end=says_end(target))
    metrics.expect([(target.name, entry.scenario.name)], histograms, [*target.servers], asked(target))
    metrics.expect_exporters(target)
    metrics.daemon.set_objective(target.name, target.objective_ms / 1000, target.objective_measure)


def _import(config: Config) -> None:
    """What runs need: imported during one target's run, it would hold up another's."""
    for framing in FRAMINGS:
        framing_named(framing)
    for entry in entries(config):
        machine_of(entry.target)


def _restored(history: History, metrics: Metrics, config: Config, on_error: OnError) -> dict[str, ServerIdentity]:
    """Go on where the history ends; returns who served. Old runs that can't be read are no reason not to measure."""
    try:
        metrics.daemon.set_history(*history.size())
        return _restore(metrics, config, on_error)
    except HistoryError as error:
        on_error(HISTORY, f"the gauges of the last runs start again: {error}")
        return {}


def _restore(metrics: Metrics, config: Config, on_error: OnError) -> dict[str, ServerIdentity]:
    """Set the gauges of the last runs from the history; returns what each target's servers said of themselves last."""
    served = {}
    with reading(state_dir(config)) as history:
        for target, scenario in _pairs(config):
            for record in history.runs(target=target, scenario=scenario, limit=RESTORED_RUNS):
                metrics.restore([record])
                if record.served != ServerIdentity():
                    served[target] = record.served
            if found := history.serving_since(target, scenario):
                metrics.restore_fingerprint(target, scenario, *found)
        if unreadable := history.unreadable:
            on_error(HISTORY, f"{len(unreadable)} of the last runs can't be read: {', '.join(unreadable)}")
    return served


def _past(folder: Path, target: str, scenario: str) -> Sequence[RunRecord]:
    with reading(folder) as history:
        return history.recent(target, scenario, KEPT)


def _pairs(config: Config) -> list[tuple[str, str]]:
    return [*dict.fromkeys((entry.target.name, entry.scenario.name) for entry in entries(config))]


def _no_spans(_record: object) -> int:
    return 0


def _archive(folder: Path, keep: int) -> AudioArchive:
    try:
        return AudioArchive(folder, keep)
    except OSError as error:
        raise StartError(f"daemon.audio_dir: {folder} can't be written: {error.strerror}") from error


def _listen(config: Config, served: dict[str, Page], slow: dict[str, SlowPage], log: Logger) -> HttpServer:
    host, port = config.http.host, config.http.port
    access = Access(config.http.web_config_file)
    try:
        return HttpServer(
            host,
            port,
            served,
            lambda why: log.warning("http server", problem=why),
            slow_pages=slow,
            access=access,
            allowed_hosts=config.http.allowed_hosts,
        )
    except OSError as error:
        raise StartError(
            f"http.host {host!r}, http.port {port}: {error.strerror}; is another daemon running? Choose another port."
        ) from error


def pages(metrics: Metrics, health: Health) -> dict[str, Page]:
    def scrape(accept: str) -> Answer:
        body, content_type = metrics.render(accept)
        return Answer(HTTPStatus.OK, body, content_type)

    def healthz(_accept: str) -> Answer:
        complaint = health.complaint()
        return plain(HTTPStatus.OK, "ok") if complaint is None else plain(HTTPStatus.SERVICE_UNAVAILABLE, complaint)

    def readyz(_accept: str) -> Answer:
        return plain(HTTPStatus.OK, "ready") if health.ready else plain(HTTPStatus.SERVICE_UNAVAILABLE, "no run yet")

    return {"/": front_page, "/metrics": scrape, "/healthz": healthz, "/readyz": readyz, **runbook.pages()}


def slow_pages(on_demand: OnDemand) -> dict[str, SlowPage]:
    """The pages that have to be waited for."""
    return {"/probe": on_demand.page}
