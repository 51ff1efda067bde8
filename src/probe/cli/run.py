"""`probe run`: one run, watched live, then reported."""

from pathlib import Path
from typing import Any

import click

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
    help="The TTS server: http://HOST:PORT/v1 the OpenAI API, tcp://HOST:PORT Wyoming, ws://HOST:PORT/ws/... Magpie."
    "  [default: ws://localhost:8001/ws/tts/stream]",
)  # fmt: skip
@click.option("--model", help="The model that the LLM server is asked for, where it has several.")
@click.option("--prompt", "prompts", multiple=True, metavar="TEXT", help="What the user says; again for another turn.")
@click.option("--turns", type=int, help="How many turns, cycling the prompts.")
@click.option("--voice", help="A voice of the TTS server, as it names them.  [default: aria, of Magpie]")
@click.option("--language", help="A language of the TTS server, where that takes one.  [default: en, of Magpie]")
@click.option(
    "--llm-protocol", metavar="NAME",
    help="What the LLM server speaks, where its URL alone does not say; an unknown name lists them.",
)  # fmt: skip
@click.option("--tts-protocol", metavar="NAME", help="The same of the TTS server.")
@click.option(
    "--llm-header", multiple=True, metavar="NAME=VALUE",
    help="Sent to the LLM server with every request, such as authorization='Bearer KEY'; again for another. Shown "
    "nowhere, but others on this machine can read a command line: a configuration file hides it.",
)  # fmt: skip
@click.option("--tts-header", multiple=True, metavar="NAME=VALUE", help="The same for the TTS server.")
@click.option("--save-audio", "wav", type=click.Path(path_type=Path), metavar="FILE.wav", help="Keep what was heard.")
@click.option("--verbose", is_flag=True, help="Show every frame and every timestamp.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout and nothing else.")
def run(config_path: Path | None, wav: Path | None, *, verbose: bool, as_json: bool, **options: Any) -> None:
    with without_collections():
        from probe.cli import live_run  # noqa: PLC0415 - 80 ms that `probe run --help` need not take

        # This imports, too; what little garbage it leaves, a process that ends with its run need not look for.
        plan, tolerance = live_run.planned(config_path, wav, **options)
    measure = live_run.printing_json if as_json else live_run.reported
    record = measure(plan, tolerance, verbose=verbose)
    if wav is not None:
        live_run.save_audio(record, wav)
    raise SystemExit(live_run.conclude(record))


run.help = """Measure one run: ask the LLM server, have the TTS server speak, report every stage.

\b
Exit codes:
  0  ok         every turn's first audio came within the objective
  1  failed     a server failed; the line on stderr says which stage and why
  2  usage      a flag, the configuration or a path is wrong
  3  slow       complete, but a response started later than the objective
  4  suspect    complete, but the measurement can't be trusted
  5  skipped    the LLM server has no slot free: its users come first

\b
Examples:
  probe run --llm-url http://localhost:8080/v1 --tts-url http://localhost:8880/v1 --voice af_heart
  probe run --llm-url http://spark:11434/v1 --model qwen3:8b --tts-url ws://spark:8001/ws/tts/stream
  probe run --llm-url ws://spark:8002/ws --tts-url ws://spark:8001/ws/tts/stream
  probe run --prompt "Tell me a joke." --prompt "Another one." --save-audio jokes.wav
  probe run --json | jq .summary
"""
