"""`probe demo`: both reference servers, a few runs against them, and where to look afterwards."""

import signal
from collections.abc import Sequence
from pathlib import Path

import click

from probe.cli.options import UsageProblem, plan_from_options
from probe.cli.reference_servers import ReferenceServers, reference_servers
from probe.cli.run import conclude, run_and_report, save_audio, say
from probe.record import RunRecord

_COLUMNS = ("Run", "Outcome", "LLM TTFT", "LLM Gen", "TTS TTFB", "First byte", "First sound", "Chunks", "Audio")


@click.command(short_help="Start both reference servers and measure them three times.")
@click.option("--runs", default=3, show_default=True, type=click.IntRange(1, 100), help="How many runs.")
@click.option(
    "--output", default="demo-output", show_default=True, type=click.Path(path_type=Path, file_okay=False),
    help="Where the audio and the servers' logs go.",
)  # fmt: skip
@click.option("--keep", is_flag=True, help="Leave the servers running until Ctrl-C.")
def demo(runs: int, output: Path, *, keep: bool) -> None:
    """Start both reference servers (real llama.cpp, real speech), measure them, save the audio, end the servers."""
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageProblem(f"--output: {output} can't be made: {error.strerror}") from error
    with reference_servers(output) as servers:
        records = _measure(servers, runs, output)
        _compare(records, output)
        if keep and len(records) == runs:
            _stay_up(servers)
    raise SystemExit(1 if any(record.failure is not None for record in records) else 0)


def _measure(servers: ReferenceServers, runs: int, output: Path) -> list[RunRecord]:
    """Run so many times; a run that fails is the last one."""
    records: list[RunRecord] = []
    for number in range(1, runs + 1):
        plan = plan_from_options(None, llm_url=servers.llm_url, tts_url=servers.tts_url)
        say("")
        record = run_and_report(plan, verbose=False)
        save_audio(record, output / f"run-{number}.wav")
        conclude(record)
        records.append(record)
        if record.failure is not None:
            break
    return records


def _compare(records: Sequence[RunRecord], output: Path) -> None:
    from probe.measures import ChunkMeasures, outcome, summarise  # noqa: PLC0415 - `--help` stays quick
    from probe.sinks.figures import ms, table  # noqa: PLC0415

    rows = []
    for number, record in enumerate(records, 1):
        summary = summarise(record)
        first = summary.first or ChunkMeasures()
        rows.append([
            str(number), outcome(record),
            ms(first.llm_ttft_ms), ms(first.llm_gen_time_ms), ms(first.tts_ttfb_ms),
            ms(summary.response_ttfb_ms), ms(summary.response_ttfa_ms),
            str(summary.chunks), f"{summary.audio_ms / 1000:.1f}s",
        ])  # fmt: skip
    say("")
    say("ALL RUNS:")
    for line in table(_COLUMNS, rows):
        say(line)
    say("")
    say(f"Listen: {output}/run-1.wav    Server logs: {output}/llm.log, {output}/tts.log")
    say("Again, against your own servers: probe run --llm-url ws://HOST:8002/ws --tts-url ws://HOST:8001/ws/tts/stream")


def _stay_up(servers: ReferenceServers) -> None:
    say("")
    say("The reference servers stay up; Ctrl-C ends them. Measure them from another terminal:")
    say(f"  probe run --llm-url {servers.llm_url} --tts-url {servers.tts_url}")
    try:
        signal.pause()
    except KeyboardInterrupt:
        say("")
