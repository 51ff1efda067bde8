"""`probe run`: one run, watched live, then reported."""

from pathlib import Path
from typing import Any, NoReturn

import click

from probe.cli.time_option import DURATION
from probe.garbage import without_collections


@click.command(short_help="Measure once: live timeline, summary, chunk table.")
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="Configuration file (TOML).")
@click.option("--target", help="A configured target.  [default: the first]")
@click.option("--scenario", help="A configured scenario.  [default: the first]")
@click.option(
    "--llm-url", metavar="URL",
    help="The LLM server. The URL says what it speaks: http://HOST:PORT/v1 the OpenAI API, ws://HOST:PORT/ws chunks."
    "  [default: ws://localhost:8002/ws]",
)  # fmt: skip
@click.option(
    "--tts-url", metavar="URL",
    help="The TTS server: http://HOST:PORT/v1 the OpenAI API, tcp://HOST:PORT Wyoming, grpc://HOST:PORT Riva,"
    " ws://HOST:PORT/ws/... Magpie."
    "  [default: ws://localhost:8001/ws/tts/stream]",
)  # fmt: skip
@click.option("--model", help="The model to request from the LLM server, if it has several.")
@click.option("--prompt", "prompts", multiple=True, metavar="TEXT", help="What the user says; repeat for another turn.")
@click.option("--objective", type=float, metavar="MS", help="A response that starts later is slow.  [default: 1000]")
@click.option("--turns", type=int, help="How many turns, cycling the prompts.")
@click.option("--voice", help="A voice of the TTS server, as it names them.  [default: aria, of Magpie]")
@click.option("--language", help="A language of the TTS server, if it has a choice.  [default: en, of Magpie]")
@click.option(
    "--llm-protocol", metavar="NAME",
    help="Protocol of the LLM server, if its URL does not determine it; an unknown name lists them.",
)  # fmt: skip
@click.option("--tts-protocol", metavar="NAME", help="The same for the TTS server.")
@click.option(
    "--llm-header", multiple=True, metavar="NAME=VALUE",
    help="Sent to the LLM server with every request, such as authorization='Bearer KEY'; repeat for another. Shown "
    "nowhere, but others on this machine can read a command line: a configuration file hides it.",
)  # fmt: skip
@click.option("--tts-header", multiple=True, metavar="NAME=VALUE", help="The same for the TTS server.")
@click.option(
    "--runs", type=click.IntRange(1, 10_000), metavar="N",
    help="Number of runs, one after another: p50, p95 and spread of each measure.",
)  # fmt: skip
@click.option(
    "--for", "duration_s", type=DURATION, metavar="TIME",
    help="Runs that start within this time, such as 5m; with --runs, whichever limit is reached first.",
)  # fmt: skip
@click.option(
    "--save-audio", "wav", type=click.Path(path_type=Path, allow_dash=True), metavar="FILE.wav",
    help="Keep what was heard; - writes it to standard output, and the report to standard error.",
)  # fmt: skip
@click.option(
    "--report", "page", type=click.Path(path_type=Path, allow_dash=True), metavar="FILE.html",
    help="Write the run's page, too, as `probe report` does.",
)  # fmt: skip
@click.option("--verbose", is_flag=True, help="Show every frame and every timestamp.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout and nothing else.")
def run(
    config_path: Path | None,
    runs: int | None,
    duration_s: float | None,
    wav: Path | None,
    page: Path | None,
    *,
    verbose: bool,
    as_json: bool,
    **options: Any,
) -> None:
    if (runs or 1) > 1 or duration_s is not None:
        if wav is not None or page is not None or verbose:
            alone = "--save-audio, --report and --verbose are for one run: leave them out, or --runs and --for"
            raise click.UsageError(alone)
        _several(config_path, runs, duration_s, options, as_json=as_json)
    with without_collections():
        from probe.cli import live_run  # noqa: PLC0415 - 80 ms that `probe run --help` does not have to spend
        from probe.cli.options import recogniser_from  # noqa: PLC0415 - as above

        # This imports, too; what little garbage it leaves, a process that ends with its run does not have to look for.
        plan, tolerance = live_run.planned(config_path, wav, page, **options)
        recogniser = recogniser_from(config_path, plan)
    audio_on_stdout = wav == live_run.STDOUT
    if audio_on_stdout and as_json:
        raise click.UsageError("--save-audio - and --json exclude each other: standard output is one document")
    reported = live_run.reported_on_stderr if audio_on_stdout else live_run.reported
    measure = live_run.printing_json if as_json else reported
    record = measure(plan, tolerance, verbose=verbose, recogniser=recogniser)
    if wav is not None:
        live_run.save_audio(record, wav)
    if page is not None:
        live_run.save_page(record, page)
    raise SystemExit(live_run.conclude(record))


def _several(
    config_path: Path | None, runs: int | None, duration_s: float | None, options: dict[str, Any], *, as_json: bool
) -> NoReturn:
    with without_collections():
        from probe.cli import live_run, several  # noqa: PLC0415 - as above
        from probe.cli.options import recogniser_from  # noqa: PLC0415 - as above

        plan, tolerance = live_run.planned(config_path, None, **options)
        recogniser = recogniser_from(config_path, plan)
    amount = several.Amount(runs, duration_s)
    raise SystemExit(several.measured(plan, tolerance, amount, recogniser, as_json=as_json))


run.help = """Measure one run: ask the LLM server, have the TTS server speak, report every stage.

\b
Exit codes:
  0  ok       every response began within the objective
  1  failed   a server failed; the report says why
  2  usage    a flag, a path or the configuration is wrong
  3  slow     complete, but later than the objective
  4  suspect  complete, but not to be trusted
  5  skipped  the LLM server is busy: its users come first
  130         interrupted: Ctrl-C or another signal

With --runs and --for it is the code of the worst outcome.

\b
Examples:
  probe run --llm-url http://localhost:8080/v1 \\
            --tts-url http://localhost:8880/v1 \\
            --voice af_heart
  probe run --llm-url http://spark:11434/v1 \\
            --model qwen3:8b \\
            --tts-url ws://spark:8001/ws/tts/stream
  probe run --llm-url ws://spark:8002/ws \\
            --tts-url ws://spark:8001/ws/tts/stream
  probe run --prompt "A joke!" --save-audio joke.wav
  probe run --save-audio - | aplay
  probe run --json | jq .summary
  probe run --runs 20
"""
