"""`probe demo`: both reference servers, the daemon beside them for a few runs, and where to look afterwards."""

import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from subprocess import Popen
from urllib.request import urlopen

import click

from probe.cli.output import say
from probe.cli.processes import INTERRUPTS, background, free_port, tail
from probe.cli.reference_servers import ReferenceServers, reference_servers
from probe.cli.show import report_again
from probe.cli.usage import UsageProblem
from probe.history.file import NoHistoryError
from probe.history.reader import reading
from probe.measures import ChunkMeasures, outcome, summarise
from probe.record import RunRecord
from probe.report.format import ms, table

INTERVAL_S = 10
# A run, with the daemon's start or the interval before it.
RUN_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
_POLL_S = 0.1
_COLUMNS = ("Run", "Outcome", "LLM TTFT", "LLM Gen", "TTS TTFB", "First byte", "First sound", "Audio", "Trace")
_CONFIG = """# What `probe demo` ran the daemon with: probe daemon --config FILE
[targets.demo.llm]
url = "{llm_url}"
[targets.demo.tts]
url = "{tts_url}"
[schedules.demo]
every_s = {interval}
[daemon]
state_dir = "{folder}/state"
audio_dir = "{folder}/audio"
[http]
port = {port}
[otlp]
protocol = "none"
[log]
format = "json"
"""


@click.command(short_help="Start both reference servers and let the daemon measure them three times.")
@click.option("--runs", default=3, show_default=True, type=click.IntRange(1, 100), help="How many runs.")
@click.option(
    "--output", default="demo-output", show_default=True, type=click.Path(path_type=Path, file_okay=False),
    help="Where history, audio and logs go.",
)  # fmt: skip
@click.option("--keep", is_flag=True, help="Leave everything running until Ctrl-C.")
def demo(runs: int, output: Path, *, keep: bool) -> None:
    """Start both reference servers (real llama.cpp, real speech) and the daemon, watch it measure, end them all."""
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageProblem(f"--output: {output} can't be made: {error.strerror}") from error
    for number in INTERRUPTS:
        signal.signal(number, signal.default_int_handler)
    port = free_port(9850)
    log = output / "daemon.log"
    with reference_servers(output) as servers:
        config = _write_config(servers, port, output)
        since = time.time_ns()
        with background(["daemon", "--config", str(config)], log, STOP_TIMEOUT_S) as daemon:
            records = _watch(daemon, log, output, runs, since)
            _look_around(records, port, output)
            if keep:
                _stay_up(servers, port)
    raise SystemExit(1 if any(record.failure is not None for record in records) else 0)


def _write_config(servers: ReferenceServers, port: int, output: Path) -> Path:
    config = output / "probe.toml"
    values = {"llm_url": servers.llm_url, "tts_url": servers.tts_url, "port": port, "folder": output.resolve()}
    config.write_text(_CONFIG.format(**values, interval=INTERVAL_S), "utf-8")
    return config


def _watch(daemon: Popen[bytes], log: Path, output: Path, runs: int, since: int) -> list[RunRecord]:
    """Report each run as soon as the daemon has put it into its history."""
    say("")
    say(f"The daemon measures every {INTERVAL_S} s; its configuration is {output}/probe.toml, its log {log}")
    records: list[RunRecord] = []
    while len(records) < runs:
        deadline = time.monotonic() + RUN_TIMEOUT_S
        while len(found := _runs(output / "state", since)) == len(records):
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise click.ClickException(f"the daemon recorded no run: {tail(log)}")
            time.sleep(_POLL_S)
        for record in found[len(records) : runs]:
            say("")
            for line in report_again(record, verbose=False):
                say(line)
            records.append(record)
    return records


def _runs(state_dir: Path, since: int) -> list[RunRecord]:

    try:
        with reading(state_dir) as history:
            return list(history.runs(since=since))
    except NoHistoryError:
        return []


def _look_around(records: Sequence[RunRecord], port: int, output: Path) -> None:

    address = f"http://127.0.0.1:{port}/metrics"
    with urlopen(address, timeout=10) as answer:
        (output / "metrics.txt").write_bytes(answer.read())
    say("")
    say("ALL RUNS:")
    for line in table(_COLUMNS, list(_rows(records))):
        say(line)
    say("")
    say(f"Listen:   {output}/audio/{records[0].plan.run_id}.wav and the other runs beside it")
    say(f"Metrics:  {address} while it runs (--keep), as it was just now in {output}/metrics.txt")
    say(f"History:  probe history --state-dir {output}/state")
    say(f"One run:  probe show {records[-1].plan.run_id} --state-dir {output}/state")
    say("Traces:   none sent here; set [otlp] to your collector and look for the trace ids above")
    say(f"Logs:     {output}/daemon.log, {output}/llm.log, {output}/tts.log")
    say("Again, against your own servers: probe run --llm-url ws://HOST:8002/ws --tts-url ws://HOST:8001/ws/tts/stream")


def _rows(records: Sequence[RunRecord]) -> Iterator[list[str]]:

    for number, record in enumerate(records, 1):
        summary = summarise(record)
        first = summary.first or ChunkMeasures()
        yield [
            str(number), outcome(record),
            ms(first.llm_ttft_ms), ms(first.llm_gen_time_ms), ms(first.tts_ttfb_ms),
            ms(summary.response_ttfb_ms), ms(summary.response_ttfa_ms),
            f"{summary.audio_ms / 1000:.1f}s", record.plan.trace_id,
        ]  # fmt: skip


def _stay_up(servers: ReferenceServers, port: int) -> None:
    say("")
    say("Everything stays up; Ctrl-C ends it. Meanwhile, from another terminal:")
    say(f"  curl http://127.0.0.1:{port}/metrics")
    say(f"  probe run --llm-url {servers.llm_url} --tts-url {servers.tts_url}")
    try:
        signal.pause()
    except KeyboardInterrupt:
        say("")
