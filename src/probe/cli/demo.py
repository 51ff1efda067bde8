"""`probe demo`: two voice agents side by side, the daemon beside them for a few runs, and where to look afterwards."""

import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from subprocess import Popen
from urllib.request import urlopen

import click

from probe.cli import demo_voice
from probe.cli.output import say, terminal_width
from probe.cli.processes import INTERRUPTS, background, free_port, tail
from probe.cli.reference_servers import PAIRS, SHOWN_BY, VOICE, ReferencePair, reference_servers
from probe.cli.show import report_again
from probe.cli.typed import probe
from probe.cli.usage import UsageProblem
from probe.history.file import NoHistoryError
from probe.history.reader import reading
from probe.measures import ChunkMeasures, outcome, summarise
from probe.record import RunRecord
from probe.report.format import ms, table

# What is shown where nobody says what; each is a target of that name.
USUAL = ("chunked", "openai")
INTERVAL_S = 10
# A run, with the daemon's start or the interval before it.
RUN_TIMEOUT_S = 150.0
STOP_TIMEOUT_S = 10.0
_POLL_S = 0.1
_COLUMNS = (
    "Target",
    "Run",
    "Outcome",
    "LLM TTFT",
    "LLM Gen",
    "TTS TTFB",
    "First byte",
    "First sound",
    "Audio",
    "Trace",
)
# Left out, the first ones first, where there is no room for all.
_SPARE = ("Trace", "LLM Gen", "Audio")
_CONFIG = """# What `probe demo` ran the daemon with: probe daemon --config FILE
{targets}[daemon]
state_dir = "{folder}/state"
audio_dir = "{folder}/audio"
[http]
port = {port}
[otlp]
protocol = "none"
[log]
format = "json"
"""
_SERVER = """[targets.{name}.{role}]
url = "{url}"
"""
_SCHEDULE = """[schedules.{name}]
target = "{name}"
every_s = {interval}
"""
_SHOWN = sorted({*PAIRS, *SHOWN_BY} - {VOICE})


@click.command(short_help="Start the reference servers and let the daemon measure each pair three times.")
@click.option("--runs", default=3, show_default=True, type=click.IntRange(1, 100), help="How many runs of each pair.")
@click.option(
    "--output", default="demo-output", show_default=True, type=click.Path(path_type=Path, file_okay=False),
    help="Where history, audio and logs go.",
)  # fmt: skip
@click.option(
    "--protocol", "protocols", multiple=True, metavar="NAME", type=click.Choice(_SHOWN),
    help="Show the servers of this protocol; again for another.  [default: chunked and openai]",
)  # fmt: skip
@click.option("--voice", is_flag=True, help="Ask by voice: speech in, speech out. Needs the extra `stt`.")
@click.option("--keep", is_flag=True, help="Leave everything running until Ctrl-C.")
def demo(runs: int, output: Path, protocols: tuple[str, ...], *, voice: bool, keep: bool) -> None:
    """Start the reference servers (real llama.cpp, real speech) and the daemon, watch it measure, end them all.

    There is a target for each pair of servers. `chunked` speaks the WebSocket protocols of `probe serve llm` and `probe
    serve tts`, `openai` the HTTP API of OpenAI (`probe serve openai`). `wyoming` and `riva` have the LLM server of that
    one, and speech from `probe serve wyoming` or `probe serve riva`. `realtime` is one agent, `probe serve realtime`.

    With --voice, a spoken question is played to `probe serve wyoming`, which understands it (pocketsphinx) and speaks
    the LLM's answer. The whole wait is measured, from the end of the question to the first sound, and explained.
    """
    if voice:
        demo_voice.require()
    names = tuple(dict.fromkeys([*(SHOWN_BY.get(name, name) for name in protocols), *[VOICE][: int(voice)]])) or USUAL
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageProblem(f"--output: {output} can't be made: {error.strerror}") from error
    for number in INTERRUPTS:
        signal.signal(number, signal.default_int_handler)
    log = output / "daemon.log"
    with reference_servers(output, *names) as pairs:
        # Just before it is wanted: the servers took a while, in which another demo may have come up.
        port = free_port(9850)
        config = _write_config(pairs, port, output)
        since = time.time_ns()
        with background(["daemon", "--config", str(config)], log, STOP_TIMEOUT_S) as daemon:
            records = _watch(daemon, log, output, runs * len(pairs), since)
            _look_around(records, port, output)
            if keep:
                _stay_up(pairs, port, config)
    raise SystemExit(1 if any(record.failure is not None for record in records) else 0)


def _write_config(pairs: Mapping[str, ReferencePair], port: int, output: Path) -> Path:
    config = output / "probe.toml"
    targets = (_target(name, pair) for name, pair in pairs.items())
    config.write_text(_CONFIG.format(targets="".join(targets), port=port, folder=output.resolve()), "utf-8")
    return config


def _target(name: str, pair: ReferencePair) -> str:
    servers = "".join(_SERVER.format(name=name, role=role, url=url) for role, url in pair.urls.items())
    asked = demo_voice.settings(name, servers) if name == VOICE else servers
    return asked + _SCHEDULE.format(name=name, interval=INTERVAL_S)


def _watch(daemon: Popen[bytes], log: Path, output: Path, runs: int, since: int) -> list[RunRecord]:
    """Report each run that took place as soon as the daemon has put it into its history."""
    say("")
    say(f"The daemon measures each pair every {INTERVAL_S} s; its configuration is {output}/probe.toml, its log {log}")
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
            # One that did not take place, as the one before it took longer on a busy machine, shows nothing.
            return [record for record in history.runs(since=since) if record.skipped is None]
    except NoHistoryError:
        return []


def _look_around(records: Sequence[RunRecord], port: int, output: Path) -> None:

    address = f"http://127.0.0.1:{port}/metrics"
    with urlopen(address, timeout=10) as answer:
        (output / "metrics.txt").write_bytes(answer.read())
    say("")
    say("ALL RUNS:")
    for line in table(_COLUMNS, list(_rows(records)), terminal_width(), _SPARE):
        say(line)
    for line in demo_voice.explained(records, terminal_width()):
        say(line)
    say("")
    say(f"Listen:   {output}/audio/{records[0].plan.run_id}.wav and the other runs beside it")
    say(f"Metrics:  {address} while it runs (--keep), as it was just now in {output}/metrics.txt")
    say(f"History:  {probe()} history --state-dir {output}/state")
    say(f"One run:  {probe()} show {records[-1].plan.run_id} --state-dir {output}/state")
    say(f"Pages:    {probe()} web --config {output}/probe.toml")
    say(f"Report:   {probe()} report last --state-dir {output}/state -o run.html")
    say("Traces:   none sent here; set [otlp] to your collector and look for the trace ids above")
    say(f"Logs:     {output}/daemon.log, and those of the servers beside it")
    say("Again, against your own servers:")
    say(f"  {probe()} run --llm-url ws://HOST:8002/ws --tts-url ws://HOST:8001/ws/tts/stream")
    say(f"  {probe()} run --llm-url http://HOST:8080/v1 --tts-url http://HOST:8880/v1")
    if any(map(demo_voice.is_asked_by_voice, records)):
        say(f"  {probe()} run --config {output}/probe.toml --target {VOICE}, with your addresses in it")


def _rows(records: Sequence[RunRecord]) -> Iterator[list[str]]:
    """Yield the runs of one target after those of the other, so that like stands beside like."""
    for target in dict.fromkeys(record.plan.target.name for record in records):
        of_target = [record for record in records if record.plan.target.name == target]
        yield from (_row(number, record) for number, record in enumerate(of_target, 1))


def _row(number: int, record: RunRecord) -> list[str]:
    summary = summarise(record)
    first = summary.first or ChunkMeasures()
    return [
        record.plan.target.name, str(number), outcome(record),
        ms(first.llm_ttft_ms), ms(first.llm_gen_time_ms), ms(first.tts_ttfb_ms),
        ms(summary.response_ttfb_ms), ms(summary.response_ttfa_ms),
        f"{summary.audio_ms / 1000:.1f}s", record.plan.trace_id,
    ]  # fmt: skip


def _stay_up(pairs: Mapping[str, ReferencePair], port: int, config: Path) -> None:
    say("")
    say("Everything stays up; Ctrl-C ends it. Meanwhile, from another terminal:")
    say(f"  curl http://127.0.0.1:{port}/metrics")
    for name, pair in pairs.items():
        options = [f"--{role}-url {url}" for role, url in pair.urls.items()]
        say(f"  {probe()} run {f'--config {config} --target {name}' if name == VOICE else ' '.join(options)}")
    try:
        signal.pause()
    except KeyboardInterrupt:
        say("")
